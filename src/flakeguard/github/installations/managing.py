"""What members do with what is bound: choose projects, and have deliveries done again."""

from dataclasses import dataclass, replace

from flakeguard.github.installations import repository
from flakeguard.github.installations.repository import Installation, ListedRepository
from flakeguard.github.webhooks import receiving
from flakeguard.github.webhooks import repository as deliveries
from flakeguard.github.webhooks.repository import ListedDelivery, Outcome
from flakeguard.github.webhooks.working import App
from flakeguard.projects import audit
from flakeguard.projects.access import Action, require_organization, require_project
from fluxbase.auth import User
from fluxbase.db import Database
from fluxbase.errors import NotFoundError
from fluxbase.resources import Resources

MOST_REPOSITORIES = 1000


@dataclass(frozen=True, slots=True)
class Overview:
    """What the GitHub page of an organisation shows."""

    installations: list[Installation]
    repositories: list[ListedRepository]
    deliveries: list[ListedDelivery]
    total: int


async def overview(database: Database, user: User, organization: str, *, limit: int, offset: int) -> Overview:
    """Installations, repositories, and a page of deliveries with the state that their jobs give them.

    Raises:
        NotFoundError: No such organisation for this user.
    """
    async with database.transaction(user.claims) as connection:
        found = await require_organization(connection, user, organization)
        installations = await repository.list_installations(connection, found.id)
        repositories = await repository.list_repositories(connection, found.id, MOST_REPOSITORIES)
        listed, total = await deliveries.list_deliveries(connection, found.id, limit=limit, offset=offset)
    return Overview(installations, repositories, await _with_states_of_jobs(database, listed), total)


async def _with_states_of_jobs(database: Database, listed: list[ListedDelivery]) -> list[ListedDelivery]:
    """The queues' rows are for the services alone; what is asked here are jobs of deliveries that the user may see."""
    jobs = [one.job_id for one in listed if one.state == "received" and one.job_id is not None]
    async with database.transaction() as connection:
        owed = await deliveries.jobs_of(connection, jobs) if jobs else {}
    return [_following(one, owed) for one in listed]


def _following(listed: ListedDelivery, owed: dict[str, tuple[bool, str | None]]) -> ListedDelivery:
    if listed.state != "received" or listed.job_id is None:
        return listed
    if listed.job_id not in owed:
        return replace(listed, state="done")
    dead, error = owed[listed.job_id]
    return replace(listed, state="failed", error=error) if dead else listed


async def choose_project(
    database: Database, user: User, organization: str, repository_id: int, project_id: int | None
) -> None:
    """Let a project of the organisation get a repository's results; None: nobody gets them.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
    """
    async with database.transaction() as connection:
        found = await require_organization(connection, user, organization, Action.ADMINISTER)
        chosen = await repository.find_choice(connection, found.id, repository_id)
        if chosen is None:
            raise NotFoundError("There is no such repository in this organization.")
        if project_id is not None:
            project = await require_project(connection, user, project_id, Action.ADMINISTER)
            if project.organization_id != found.id:
                raise NotFoundError("There is no such project in this organization.")
        await repository.choose_project(connection, repository_id, project_id)
        await audit.record_by(
            connection, user, "github.repository_mapped", organization_id=found.id, project_id=project_id,
            repository=chosen["full_name"],
        )  # fmt: skip


async def deliver_again(resources: Resources, app: App, user: User, organization: str, guid: str) -> Outcome:
    """Do a delivery of the organisation's once more.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
    """
    async with resources.database.transaction() as connection:
        found = await require_organization(connection, user, organization, Action.ADMINISTER)
        if await deliveries.delivery_organization(connection, guid) != found.id:
            raise NotFoundError("There is no such delivery in this organization.")
    return await receiving.take_again(resources.database, app, guid, resources.now())

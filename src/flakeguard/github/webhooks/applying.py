"""What a delivery changes and owes, within the transaction that keeps it."""

from collections.abc import Sequence

from flakeguard.github.facts import Repository
from flakeguard.github.installations import mapping
from flakeguard.github.installations import repository as installations
from flakeguard.github.installations.repository import Installation, KnownRepository
from flakeguard.github.webhooks.notices import (
    Delivery,
    InstallationChanged,
    Known,
    RepositoriesChanged,
    RepositoryGone,
    Unknown,
)
from flakeguard.github.webhooks.repository import Outcome
from flakeguard.github.webhooks.working import DONE, App, Occasion, Told, Work, ignored, work
from fluxbase.db import Connection

UNBOUND = Outcome("unbound")


async def apply(connection: Connection, told: Delivery, app: App, occasion: Occasion) -> Outcome:
    """Do what a delivery asks for; what became of it."""
    if told.installation_id is None:
        return _of_no_installation(told)
    changes_it = isinstance(told.notice, InstallationChanged) and not occasion.late
    hold = installations.hold_alone if changes_it else installations.hold_installation
    installation = await hold(connection, told.installation_id, told.account, api_url=app.api_url)
    if installation is None:
        return ignored("it names an installation that nothing is known of, and no account")
    if occasion.late and isinstance(told.notice, InstallationChanged | RepositoriesChanged | RepositoryGone):
        return ignored("what it told of who reaches what may be outdated by now")
    return await _of_installation(connection, installation, told, app, occasion)


async def _of_installation(
    connection: Connection, installation: Installation, told: Delivery, app: App, occasion: Occasion
) -> Outcome:
    notice = told.notice
    if isinstance(notice, InstallationChanged):
        return await _change_installation(connection, installation, notice, occasion)
    if installation.deleted_at is not None:
        return ignored("the installation was removed at GitHub")
    if isinstance(notice, RepositoriesChanged):
        return await _change_repositories(connection, installation, notice, occasion)
    return await _about_repository(connection, installation, told, notice, app, occasion)


def _of_no_installation(told: Delivery) -> Outcome:
    if isinstance(told.notice, Known):
        return DONE
    if isinstance(told.notice, Unknown):
        return ignored(told.notice.why)
    return ignored("it is of no installation: this is a webhook of a repository, not of the App")


async def _change_installation(
    connection: Connection, installation: Installation, notice: InstallationChanged, occasion: Occasion
) -> Outcome:
    match notice.change:
        case "created":
            await installations.set_deleted(connection, installation.id, None)
            await _reach(connection, installation, notice.repositories)
        case "deleted":
            await installations.set_deleted(connection, installation.id, occasion.now)
        case "suspend":
            await installations.set_suspended(connection, installation.id, occasion.now)
        case "unsuspend":
            await installations.set_suspended(connection, installation.id, None)
        case _:
            pass  # new permissions: they show when they are used
    return DONE


async def _change_repositories(
    connection: Connection, installation: Installation, notice: RepositoriesChanged, occasion: Occasion
) -> Outcome:
    await _reach(connection, installation, notice.added)
    gone = [one.id for one in notice.removed]
    await installations.remove_repositories(connection, installation.id, gone, occasion.now)
    return DONE


async def _reach(connection: Connection, installation: Installation, added: Sequence[Repository]) -> None:
    """The installation reaches these; each gets a project where the installation is somebody's."""
    for told in added:
        await _keep(connection, installation, told, added=True)


async def _keep(
    connection: Connection, installation: Installation, told: Repository, *, added: bool
) -> KnownRepository:
    before = await installations.find_repository(connection, told.id)
    if before is not None and not added and _tells_nothing_new(before, installation, told):
        return before
    kept = await installations.put_repository(connection, installation.id, told, added=added)
    arrived = before is None or added or before.installation_id != installation.id
    if installation.organization_id is not None and kept.project_id is None and arrived:
        await mapping.map_to_project(connection, installation.organization_id, kept)
        return await installations.find_repository(connection, told.id) or kept
    return kept


def _tells_nothing_new(before: KnownRepository, installation: Installation, told: Repository) -> bool:
    return (
        before.installation_id == installation.id
        and before.full_name == told.full_name
        and told.private in (None, before.private)
        and told.default_branch in (None, before.default_branch)
    )


async def _about_repository(
    connection: Connection,
    installation: Installation,
    told: Delivery,
    notice: Known | Unknown | RepositoryGone | Told,
    app: App,
    occasion: Occasion,
) -> Outcome:
    known = await _repository_of(connection, installation, told, occasion)
    if isinstance(notice, Known):
        return DONE
    if isinstance(notice, Unknown):
        return ignored(notice.why)
    if known is None or known.installation_id != installation.id:
        return ignored("it is about no repository that this installation reaches")
    if isinstance(notice, RepositoryGone):
        await installations.remove_repositories(connection, installation.id, [known.id], occasion.now)
        return DONE
    stopped = _why_not(installation, known)
    return stopped or await work(Work(connection, app, occasion, known), notice)


async def _repository_of(
    connection: Connection, installation: Installation, told: Delivery, occasion: Occasion
) -> KnownRepository | None:
    if told.repository is None:
        return None
    if occasion.late:
        return await installations.find_repository(connection, told.repository.id)
    return await _keep(connection, installation, told.repository, added=False)


def _why_not(installation: Installation, known: KnownRepository) -> Outcome | None:
    """Why nothing is done for a repository; None when something is."""
    if installation.organization_id is None:
        return UNBOUND
    if known.removed_at is not None:
        return ignored("the repository was removed from the installation")
    if known.project_id is None:
        return ignored("no project gets this repository's results: choose one")
    return None

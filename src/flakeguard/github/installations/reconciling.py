"""What GitHub says today of installations and what they reach, in place of events that never came."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from flakeguard.github.errors import GitHubAwayError, GitHubRefusedError, GoneError, RateLimitedError
from flakeguard.github.facts import AppInstallation, Repository
from flakeguard.github.installations import mapping, repository
from flakeguard.github.installations.client import InstalledApp
from flakeguard.github.installations.repository import SQL
from fluxbase.db import Connection, Database
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

_MOST_LISTED = 10_000  # what the client reads of a list: one that is longer does not say who is gone
_CLOCKS_DIFFER = timedelta(minutes=1)


class ListingApp(Protocol):
    """The App, as far as it says where it is installed."""

    async def installations(self) -> Sequence[AppInstallation]:
        """All of them."""
        ...

    def installation_for_what_can_wait(self, installation_id: int) -> InstalledApp:
        """One of them."""
        ...


@dataclass(slots=True)
class Reconciled:
    """How many installations GitHub lists; of those here, how many were new, returned, gone; and of repositories."""

    listed: int = 0
    new: int = 0
    returned: int = 0
    gone: int = 0
    repositories_changed: int = 0
    repositories_gone: int = 0
    stopped: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For the job's result."""
        return asdict(self)


async def reconcile(resources: Resources, github: ListingApp, *, api_url: str) -> Reconciled:
    """Agree with GitHub. What an event told meanwhile counts: a list is as old as the question.

    When GitHub is away, refuses or takes no more calls it ends there, and the next time goes on.
    """
    done = Reconciled()
    try:
        await _installations(resources, github, api_url, done)
        for installation_id in await _bound(resources.database):
            await _repositories(resources, github, installation_id, done)
    except (RateLimitedError, GitHubAwayError, GitHubRefusedError, GoneError) as error:
        done.stopped = str(error)
        logger.warning("installations cannot be reconciled", **done.as_json())
    else:
        logger.info("installations reconciled", **done.as_json())
    return done


async def _installations(resources: Resources, github: ListingApp, api_url: str, done: Reconciled) -> None:
    asked_at = resources.now()
    listed = await github.installations()
    done.listed = len(listed)
    for one in listed:
        async with resources.database.transaction() as connection:
            await _agree(connection, one, api_url, asked_at, done)
    if len(listed) >= _MOST_LISTED:
        return
    async with resources.database.transaction() as connection:
        missing = await connection.fetch(
            SQL["unlisted_installations"], api_url, [one.id for one in listed], asked_at - _CLOCKS_DIFFER
        )
        for (installation_id,) in missing:
            await repository.set_deleted(connection, installation_id, asked_at)
        done.gone = len(missing)


async def _agree(
    connection: Connection, told: AppInstallation, api_url: str, asked_at: datetime, done: Reconciled
) -> None:
    done.new += await repository.lock_installation(connection, told.id) is None
    found = await repository.hold_alone(connection, told.id, told.account, api_url=api_url)
    assert found is not None  # noqa: S101 -- an account is told
    if found.deleted_at is not None and found.deleted_at < asked_at - _CLOCKS_DIFFER:
        await repository.set_deleted(connection, told.id, None)
        done.returned += 1
    if (found.suspended_at is None) != (told.suspended_at is None):
        await repository.set_suspended(connection, told.id, told.suspended_at)


async def _bound(database: Database) -> list[int]:
    async with database.transaction() as connection:
        return [row["id"] for row in await connection.fetch(SQL["bound_installations"])]


async def _repositories(resources: Resources, github: ListingApp, installation_id: int, done: Reconciled) -> None:
    asked_at = resources.now() - _CLOCKS_DIFFER
    try:
        reached = await github.installation_for_what_can_wait(installation_id).repositories()
    except (GitHubRefusedError, GoneError) as error:
        logger.warning("installation cannot be asked", installation_id=installation_id, error=str(error))
        return
    async with resources.database.transaction() as connection:
        found = await repository.lock_installation(connection, installation_id)
        if found is None or found.organization_id is None or found.deleted_at is not None:
            return  # meanwhile
        for told in reached:
            done.repositories_changed += await _reach(
                connection, found.organization_id, installation_id, told, asked_at
            )
        gone = await connection.fetch(
            SQL["drop_unreached"], installation_id, [one.id for one in reached], resources.now(), asked_at
        )
        done.repositories_gone += len(gone)


async def _reach(
    connection: Connection, organization_id: int, installation_id: int, told: Repository, asked_at: datetime
) -> bool:
    """Whether something of the repository was not known. A person's choice that nobody gets its results stays."""
    before = await repository.find_repository(connection, told.id)
    if before is not None and before.removed_at is not None and before.removed_at >= asked_at:
        return False  # an event has just said so
    arrived = before is None or before.removed_at is not None or before.installation_id != installation_id
    if before is not None and not arrived and _same(before, told):
        return False
    kept = await repository.put_repository(connection, installation_id, told, added=True)
    if arrived and kept.project_id is None:
        await mapping.map_to_project(connection, organization_id, kept)
    return True


def _same(before: repository.KnownRepository, told: Repository) -> bool:
    return (
        before.full_name == told.full_name
        and told.private in (None, before.private)
        and told.default_branch in (None, before.default_branch)
    )

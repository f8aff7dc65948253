"""What GitHub could not hand over while this server was away is asked for again, until it has arrived.

A delivery that is kept here is never asked for, whatever GitHub says of it: its answer may have been lost. Each other
is asked for a few times, which are counted before GitHub is asked, so that dying here does not ask for ever.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog

from flakeguard.github.errors import GitHubRefusedError, GoneError
from flakeguard.github.facts import HookDelivery
from flakeguard.github.redelivering.pace import FORGOTTEN, MOST_AT_ONCE, REDELIVERABLE, WAITS, read_since
from flakeguard.worker.errors import RetryLater
from fluxbase.db import Connection, Database, load
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)
_SQL = load(__package__)


class Deliverer(Protocol):
    """The App, as far as it hands over deliveries."""

    @property
    def app_id(self) -> int:
        """Whose deliveries they are."""
        ...

    async def failed_deliveries(self, since: datetime) -> Sequence[HookDelivery]:
        """Attempts that failed since, newest first."""
        ...

    async def redeliver(self, delivery_id: int) -> None:
        """Ask for one again."""
        ...


@dataclass(slots=True)
class Look:
    """What one look came to: attempts that failed, deliveries that have arrived meanwhile, and those asked for."""

    failed: int = 0
    arrived: int = 0
    asked: int = 0
    refused: int = 0
    stopped: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For the job's result."""
        return asdict(self)


async def ask_again(resources: Resources, github: Deliverer) -> Look:
    """Read what failed since the last look, and ask for what has not arrived.

    When GitHub is away, refuses or takes no more calls the look ends there, and the next one goes on.
    """
    look = Look()
    try:
        await _read(resources.database, github, look, resources.now())
        while look.asked + look.refused < MOST_AT_ONCE and await _ask_for_one(resources, github, look):
            pass
    except (RetryLater, GitHubRefusedError, GoneError) as error:
        look.stopped = str(error)
        logger.warning("missed deliveries cannot be looked for", **look.as_json())
    else:
        if look.failed or look.arrived or look.asked:
            logger.info("missed deliveries looked for", **look.as_json())
    return look


async def _read(database: Database, github: Deliverer, look: Look, now: datetime) -> None:
    async with database.transaction() as connection:
        until = await connection.fetchval(_SQL["read_until"], github.app_id)
    failed = await github.failed_deliveries(read_since(until, now))
    async with database.transaction() as connection:
        # Oldest first, so that when it failed first is what stays.
        for one in sorted(failed, key=lambda one: (one.delivered_at, one.guid)):
            await _note(connection, one, now)
        look.failed = len(failed)
        look.arrived = len(await connection.fetch(_SQL["forget_arrived"]))
        await connection.execute(_SQL["forget_old"], now - FORGOTTEN)
        await connection.execute(_SQL["set_read_until"], github.app_id, now)


async def _note(connection: Connection, one: HookDelivery, now: datetime) -> None:
    await connection.execute(
        _SQL["note_missed"], one.guid, one.id, one.event, one.action, one.installation_id, one.status,
        one.delivered_at, now,
    )  # fmt: skip


async def _ask_for_one(resources: Resources, github: Deliverer, look: Look) -> bool:
    """Whether there was one to ask for."""
    database, now = resources.database, resources.now()
    async with database.transaction() as connection:
        claimed = await connection.fetchrow(_SQL["claim_missed"], now, list(WAITS), now - REDELIVERABLE)
    if claimed is None:
        return False
    try:
        await github.redeliver(claimed["delivery_id"])
    except RetryLater:
        await _do(database, "unclaim_missed", claimed["guid"])
        raise
    except (GitHubRefusedError, GoneError) as error:
        await _do(database, "refuse_missed", claimed["guid"], str(error))
        logger.warning("delivery cannot be had again", delivery=claimed["guid"], error=str(error))
        look.refused += 1
        return True
    last = claimed["asks"] == len(WAITS)
    (logger.warning if last else logger.info)(
        "delivery asked for again", delivery=claimed["guid"], github_event=claimed["event"], asks=claimed["asks"],
        last=last,
    )  # fmt: skip
    look.asked += 1
    return True


async def _do(database: Database, query: str, *arguments: Any) -> None:
    async with database.transaction() as connection:
        await connection.execute(_SQL[query], *arguments)


@dataclass(frozen=True, slots=True)
class Fate:
    """What is known here of a delivery: the state in which it is kept, or `missed` and how often it was asked for."""

    state: str
    asks: int
    error: str | None


async def fates(connection: Connection, guids: Sequence[str]) -> dict[str, Fate]:
    """By guid; of those that are known."""
    rows = await connection.fetch(_SQL["known_deliveries"], list(guids))
    return {row["guid"]: Fate(row["state"], row["asks"], row["error"]) for row in rows}

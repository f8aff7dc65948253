"""Clear contents of old reports, drop old months of attempts whole, delete the rest of the month at the border.

Never touched: flake_stats, test cases, runs, failures, verdict changes, projects.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from flakeguard.settings import FlakeGuardSettings
from fluxbase.db import Database, load

logger = structlog.get_logger(__name__)
_SQL = load(__package__)

_FILES_AT_ONCE = 500
_EVENTS_AT_ONCE = timedelta(hours=1)
_THE_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

type Tell = Callable[[float, str], Awaitable[None]]


async def _say_nothing(_fraction: float, _message: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept, by time of arrival."""

    junit_content: timedelta
    events: timedelta


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What one run of the retention did. `months` are the partitions that were dropped; `events` counts theirs too."""

    junit_content: int
    events: int
    months: int


def retention_of(settings: FlakeGuardSettings) -> Retention:
    """What the settings want to be kept."""
    return Retention(timedelta(days=settings.retention_junit_days), timedelta(days=settings.retention_events_days))


async def clean(
    database: Database, retention: Retention, *, now: datetime, tell: Tell = _say_nothing
) -> Cleaned | None:
    """Delete what is too old at the clock `now`; None when another run is at it.

    Works in batches, each its own transaction, so that uploads are not held up. Safe to repeat, and to be cut short.

    Raises:
        asyncpg.LockNotAvailableError: Uploads kept the table too busy to drop a month; the next run does it.
    """
    async with AsyncExitStack() as stack:
        turn = await stack.enter_async_context(database.transaction())
        if not await turn.fetchval(_SQL["try_turn"]):
            logger.info("retention is being done by another worker")
            return None
        cleared = await _clear_contents(database, now - retention.junit_content)
        await tell(0.3, f"cleared {cleared} junit_content")
        months, dropped = await _drop_months(database, now - retention.events)
        await tell(0.6, f"dropped {months} months")
        deleted = await _delete_events(database, now - retention.events)
    cleaned = Cleaned(cleared, dropped + deleted, months)
    # The runbook's words, which operators search for.
    logger.info(
        f"Retention job completed: cleared {cleaned.junit_content} junit_content, deleted {cleaned.events} events",  # noqa: G004 -- one phrase, as it is searched for
        months=months,
    )
    return cleaned


async def _clear_contents(database: Database, before: datetime) -> int:
    """Contents that were not parsed yet are left: an upload that waits for its worker must not lose them."""
    cleared = 0
    while True:
        async with database.transaction() as connection:
            count = _count(await connection.execute(_SQL["clear_contents"], before, _FILES_AT_ONCE))
        cleared += count
        if count < _FILES_AT_ONCE:
            return cleared


async def _drop_months(database: Database, before: datetime) -> tuple[int, int]:
    async with database.transaction() as connection:
        row = await connection.fetchrow(_SQL["drop_months"], before)
    return (row["months"], row["events"]) if row else (0, 0)


async def _delete_events(database: Database, before: datetime) -> int:
    """Hour by hour of arrival, which the index of times finds without reading the month; empty times are leapt over."""
    deleted, start = 0, await _oldest_event(database, _THE_BEGINNING, before)
    while start is not None:
        end = min(start + _EVENTS_AT_ONCE, before)
        async with database.transaction() as connection:
            count = _count(await connection.execute(_SQL["delete_events"], start, end))
        deleted += count
        start = end if count and end < before else await _oldest_event(database, end, before)
    return deleted


async def _oldest_event(database: Database, since: datetime, before: datetime) -> datetime | None:
    async with database.transaction() as connection:
        return await connection.fetchval(_SQL["oldest_event"], since, before)


def _count(command_status: str) -> int:
    return int(command_status.rpartition(" ")[2])

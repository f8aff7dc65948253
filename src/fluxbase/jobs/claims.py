"""A worker's side of the table: claims, and what became of them. Every write is fenced by (id, claim)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import structlog

from fluxbase.db import OUTAGES, Connection, Database
from fluxbase.http.problem import problem_of
from fluxbase.jobs.context import Stop
from fluxbase.jobs.errors import ClaimLostError
from fluxbase.jobs.executing import Completed, Failed, Outcome, Stopped
from fluxbase.jobs.functions import Function
from fluxbase.jobs.model import Claim
from fluxbase.jobs.repository import SQL
from fluxbase.jobs.retry import delay_seconds

logger = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0


async def claim_jobs(connection: Connection, worker_id: UUID, names: list[str], count: int) -> list[Claim]:
    """Up to `count` jobs that are due, by priority and then by time, now this worker's."""
    rows = await connection.fetch(SQL["claim_jobs"], worker_id, names, count)
    rows.sort(key=lambda row: (-row["priority"], row["scheduled_at"]))
    return [Claim(**{name: row[name] for name in Claim.__slots__}) for row in rows]


async def tell_progress(database: Database, claim: Claim, fraction: float, message: str | None) -> None:
    """Store progress. A database that is away for a moment is no reason to fail the job.

    Raises:
        ClaimLostError: The job is no longer this worker's.
    """
    text = message.replace("\0", "")[:500] if message else None
    try:
        async with database.transaction() as connection:
            kept = await connection.fetchval(SQL["tell_progress"], claim.id, claim.claim, fraction, text)
    except OUTAGES as error:
        logger.warning("progress not stored", job_id=str(claim.id), error=f"{type(error).__name__}: {error}")
        return
    if kept is None:
        raise ClaimLostError


async def settle(database: Database, claim: Claim, function: Function, outcome: Outcome) -> str | None:
    """Store how an attempt ended, however long the database takes to come back; the job's status, None when lost.

    What was taken over is somebody else's by now, and theirs to record: the claim's number says so.
    """
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            async with database.transaction() as connection:
                return await _write(connection, claim, function, outcome)
        except asyncpg.DataError as error:
            outcome = Failed(f"InvalidResult: PostgreSQL cannot store it ({error})".replace("\0", ""), final=True)
        except OUTAGES as error:
            logger.warning("outcome waits for the database", job_id=str(claim.id), error=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


async def _write(connection: Connection, claim: Claim, function: Function, outcome: Outcome) -> str | None:
    match outcome:
        case Completed(result):
            return await connection.fetchval(SQL["complete_job"], claim.id, claim.claim, result)
        case Failed(error, stack, final):
            again = None if final or claim.attempt >= claim.max_attempts else _delay(function, claim)
            return await connection.fetchval(SQL["fail_job"], claim.id, claim.claim, error, stack, again)
        case Stopped(Stop.CANCELLED):
            return await connection.fetchval(SQL["mark_cancelled"], claim.id, claim.claim)
        case Stopped(Stop.HANDED_BACK):
            return await connection.fetchval(SQL["hand_back"], claim.id, claim.claim)
        case Stopped():
            # Nobody else may be there to take it over: after an outage the first worker back finds itself alive.
            return await connection.fetchval(SQL["lose_job"], claim.id, claim.claim)


def _delay(function: Function, claim: Claim) -> float:
    return delay_seconds(function.backoff, claim.attempt, random.random)


async def patiently(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work`. What it raises is logged, and whoever calls does it again later.

    A worker must not end, unnoticed, because one look went wrong.
    """
    try:
        await work()
    except Exception as error:
        if problem_of(error).unexpected:
            logger.exception("job worker failed", doing=what, error=type(error).__name__)
        else:
            logger.warning("jobs wait for the database", doing=what, error=f"{type(error).__name__}: {error}")

"""What becomes of a job whose try failed: the policy's decision, told to BullMQ and to PostgreSQL."""

import asyncio
import random
import traceback
from datetime import timedelta
from typing import Any, NoReturn

import asyncpg
import structlog
from redis.exceptions import RedisError

from flakeguard.worker.bull import DelayedError, UnrecoverableError
from flakeguard.worker.dead_letters import Cause, note_failure
from flakeguard.worker.errors import blames_the_schema, kind_of, wait_asked_for
from flakeguard.worker.metrics import JobOutcome
from flakeguard.worker.processors import Job, give_up
from flakeguard.worker.queues import PREFIX, bullmq_name
from flakeguard.worker.retry_policy import (
    MAX_RETRY_ATTEMPTS,
    Bury,
    Decision,
    Failure,
    Kind,
    Retry,
    Wait,
    decide,
    delay_ms,
)
from fluxbase.db import OUTAGES
from fluxbase.db.versions import is_at_head
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, RedisError)
_PROBE_SECONDS = 2.0
# Fields of our own in BullMQ's hash of the job: they live as long as it does.
_WAITS, _WAITS_SINCE = "fg:waits", "fg:waits_since"
# Only where the job is still there: after a FLUSHDB, BullMQ would take our fields alone for a job and add no other.
# A full Redis takes them too, or nothing would end the waits there.
_COUNT_WAIT = """#!lua flags=allow-oom
if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
    redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3])
end
"""


class RetriedError(Exception):
    """The job is tried again after `delay_ms`; the text is that of what went wrong."""

    def __init__(self, error: Exception, delay_ms: int) -> None:
        super().__init__(describe(error))
        self.delay_ms = delay_ms


def describe(error: BaseException) -> str:
    """One line: the kind of error and what it says."""
    return "".join(traceback.format_exception_only(error)).strip()


def backoff_ms(tries: int, _type: object, error: object, *_job: Any) -> int:
    """BullMQ's question how long to wait before the next try."""
    return error.delay_ms if isinstance(error, RetriedError) else delay_ms(tries, random.random)


async def fail(resources: Resources, job: Job, error: Exception, outcome: JobOutcome) -> NoReturn:
    """Decide, write it down, and tell BullMQ by what is raised.

    Raises:
        RetriedError: BullMQ tries again later, and counts this try.
        DelayedError: The job waits in BullMQ, and this try is not counted.
        UnrecoverableError: It is a dead letter.
    """
    kind = await _kind(resources, error)
    waits, waited = await _waiting(resources, job)
    allowed = job.tries if job.last_try else max(job.tries + 1, 1 + MAX_RETRY_ATTEMPTS)
    decision = decide(
        Failure(
            kind, job.tries, allowed, waits=waits, waited_seconds=waited, asked_seconds=wait_asked_for(error)
        ),
        random.random,
    )  # fmt: skip
    cause = Cause.of(describe(error), "".join(traceback.format_exception(error)), job.tries)
    _tell(job, error, kind, decision)
    if isinstance(decision, Bury) and not await _buried(resources, job, cause):
        decision = Wait(delay_ms(waits + 1, random.random))
    await _follow(resources, job, error, cause, decision, outcome)


async def _follow(
    resources: Resources, job: Job, error: Exception, cause: Cause, decision: Decision, outcome: JobOutcome
) -> NoReturn:
    name = type(error).__name__
    match decision:
        case Bury():
            outcome.failed(name, final=True)
            raise UnrecoverableError(cause.error) from error
        case Retry(delay_ms=delay):
            await _note(resources, job, cause, delay)
            outcome.failed(name, final=False)
            raise RetriedError(error, delay) from error
        case Wait(delay_ms=delay):
            await _note(resources, job, cause, delay)
            await _delay(resources, job, delay)
            outcome.status = "delayed"
            raise DelayedError(cause.error) from error


def _tell(job: Job, error: Exception, kind: Kind, decision: Decision) -> None:
    log = logger.error if isinstance(decision, Bury) or kind is Kind.SYSTEM else logger.warning
    log(
        "job failed" if not isinstance(decision, Wait) else "job waits",
        queue=job.queue, name=job.name, kind=str(kind), decision=type(decision).__name__.lower(),
        delay_ms=getattr(decision, "delay_ms", None), tries=job.tries, alert=kind is Kind.SYSTEM,
        exc_info=None if isinstance(decision, Wait) else error, error=describe(error),
    )  # fmt: skip


async def _kind(resources: Resources, error: Exception) -> Kind:
    """What `kind_of` says, where our servers bear it out.

    A bare network error or time-out is an outage when a server of ours does not answer now either; a column that is
    missing is our bug, and not a newer version's doing, when the tables are those that this version knows.
    """
    kind = kind_of(error)
    if blames_the_schema(error) and await _schema_is_ours(resources):
        return Kind.PROCESSING
    if kind is Kind.NETWORK and isinstance(error, OSError) and await _servers_away(resources):
        return Kind.OUTAGE
    return kind


async def _schema_is_ours(resources: Resources) -> bool:
    try:
        async with resources.database.transaction(timeout_seconds=_PROBE_SECONDS) as connection:
            return await is_at_head(connection)
    except _AWAY:
        return False


async def _servers_away(resources: Resources) -> bool:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            async with resources.database.transaction(timeout_seconds=_PROBE_SECONDS) as connection:
                await connection.execute("SELECT 1")
            await resources.redis.ping()  # pyright: ignore[reportUnknownMemberType] -- **kwargs untyped
    except (*OUTAGES, RedisError):
        return True
    return False


async def _waiting(resources: Resources, job: Job) -> tuple[int, float]:
    """How often the job has waited without a try being counted, and the seconds since it first did."""
    client: Any = resources.redis
    waits, since = await client.hmget(_key(job), _WAITS, _WAITS_SINCE)
    now = resources.now().timestamp()
    return int(waits or 0), now - float(since or now)


async def _delay(resources: Resources, job: Job, delay: int) -> None:
    client: Any = resources.redis
    now = resources.now().timestamp()
    await client.eval(_COUNT_WAIT, 1, _key(job), _WAITS, _WAITS_SINCE, now)
    await job.bull.moveToDelayed(round(now * 1000) + delay, job.token)


def _key(job: Job) -> str:
    return f"{PREFIX}:{bullmq_name(job.queue)}:{job.id}"


async def _buried(resources: Resources, job: Job, cause: Cause) -> bool:
    """False when PostgreSQL, which keeps dead letters, is away: then the job waits for it."""
    try:
        await give_up(resources, job, cause)
    except _AWAY as error:
        logger.warning("dead letter waits for PostgreSQL", queue=job.queue, error=str(error))
        return False
    return True


async def _note(resources: Resources, job: Job, cause: Cause, delay: int) -> None:
    """Best effort: without it the relay only looks at the job sooner, and finds it in BullMQ."""
    now = resources.now()
    try:
        async with resources.database.transaction(timeout_seconds=_PROBE_SECONDS) as connection:
            await note_failure(connection, job.id, cause, now=now, until=now + timedelta(milliseconds=delay))
    except _AWAY:
        logger.debug("a failure could not be noted", queue=job.queue)

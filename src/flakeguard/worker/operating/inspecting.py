"""Look at queues: how much is in them, which jobs, and what failed."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from redis.asyncio import Redis

from flakeguard.worker import dead_letters
from flakeguard.worker.bull import Queue
from flakeguard.worker.operating.model import STATES, FailureSeen, JobSeen, QueueStats
from flakeguard.worker.queues import PREFIX, QUEUES, bullmq_name, public_name
from fluxbase.db import load
from fluxbase.errors import InvalidRequestError, NotFoundError
from fluxbase.resources import Resources

SQL = load(__package__)
MOST = 200
"""Jobs that one answer lists at most."""


class NoSuchQueueError(NotFoundError):
    """There is no such queue."""

    code = "queue_not_found"

    def __init__(self, typed: str) -> None:
        super().__init__(f"There is no queue {typed[:80]!r}; there are {', '.join(QUEUES)}.")


class NoSuchJobError(NotFoundError):
    """The queue does not hold such a job."""

    code = "job_not_found"


class NoSuchStateError(InvalidRequestError):
    """Jobs have no such state."""

    code = "invalid_state"


def queue_named(typed: str) -> str:
    """The public name of a queue typed in either spelling.

    Raises:
        NoSuchQueueError: 404.
    """
    found = public_name(typed)
    if found is None:
        raise NoSuchQueueError(typed)
    return found


def bull_queue(redis: Redis, queue: str) -> Any:
    """BullMQ's object of a queue, on our pooled client."""
    return Queue(bullmq_name(queue), {"connection": redis, "prefix": PREFIX})


async def queue_stats(resources: Resources, queue: str) -> QueueStats:
    """One queue now."""
    async with resources.database.transaction() as connection:
        dead = await dead_letters.count_dead_letters(connection)
    return await _stats(resources.redis, queue, dead)


async def all_stats(resources: Resources) -> list[QueueStats]:
    """Every queue now."""
    async with resources.database.transaction() as connection:
        dead = await dead_letters.count_dead_letters(connection)
    return [await _stats(resources.redis, queue, dead) for queue in QUEUES]


async def _stats(redis: Redis, queue: str, dead: Mapping[str, int]) -> QueueStats:
    bull = bull_queue(redis, queue)
    counts = await bull.getJobCounts(*STATES, "paused")
    return QueueStats(
        name=queue,
        paused=await bull.isPaused(),
        waiting=counts["waiting"] + counts["prioritized"] + counts["paused"],
        active=counts["active"],
        delayed=counts["delayed"] + counts["waiting-children"],
        completed=counts["completed"],
        failed=counts["failed"],
        dead_letters=dead.get(queue, 0),
    )


async def jobs(redis: Redis, queue: str, *, state: str | None = None, limit: int = 50) -> list[JobSeen]:
    """Jobs of a state (or of every state), newest first, at most `limit`.

    Raises:
        NoSuchStateError: 400.
    """
    if state is not None and state not in STATES:
        raise NoSuchStateError(f"Jobs have no state {state[:40]!r}; there are {', '.join(STATES)}.")
    bull, found = bull_queue(redis, queue), list[JobSeen]()
    for one in (state,) if state else STATES:
        rest = min(limit, MOST) - len(found)
        if rest > 0:
            found += [_seen(queue, one, job) for job in await bull.getJobs([one], 0, rest - 1)]
    return found


async def job(resources: Resources, queue: str, job_id: str) -> JobSeen:
    """One job, from BullMQ, or from the outbox where it waits to get there.

    Raises:
        NoSuchJobError: 404.
    """
    bull = bull_queue(resources.redis, queue)
    held = await bull.getJob(job_id)
    if held is not None:
        return _seen(queue, str(await bull.getJobState(job_id)), held)
    async with resources.database.transaction() as connection:
        row = await connection.fetchval(SQL["owed"], job_id, queue)
    if row is None:
        raise NoSuchJobError(f"{queue} holds no job {job_id[:200]!r}; completed ones are kept only for a while.")
    state = "failed" if row["dead_at"] else "owed"
    return JobSeen(row["job_id"], queue, row["name"], state, row["data"], row["tries"], error=row["error"])


def _seen(queue: str, state: str, held: Any) -> JobSeen:
    return JobSeen(
        id=str(held.id), queue=queue, name=held.name, state=state, data=held.data, tries=held.attemptsMade,
        created_at=held.timestamp, started_at=held.processedOn or None, ended_at=held.finishedOn or None,
        progress=held.progress or None, result=held.returnvalue, error=held.failedReason,
    )  # fmt: skip


async def failures(resources: Resources, queue: str | None, *, limit: int = MOST) -> list[FailureSeen]:
    """What failed for good, newest first: dead letters, then what is failed in Redis alone."""
    async with resources.database.transaction() as connection:
        letters = await dead_letters.dead_letters(connection, queue, limit=limit)
    kept = [_letter(letter) for letter in letters]
    known = {(letter.queue, letter.foreign_id or letter.job_id) for letter in letters}
    for one in (queue,) if queue else QUEUES:
        kept += await _in_redis_alone(resources.redis, one, known, limit - len(kept))
    return kept


async def _in_redis_alone(redis: Redis, queue: str, known: set[tuple[str, str]], limit: int) -> Sequence[FailureSeen]:
    if limit <= 0:
        return []
    held = await bull_queue(redis, queue).getJobs(["failed"], 0, limit - 1)
    return [_failed(queue, one) for one in held if (queue, str(one.id)) not in known]


def _letter(letter: dead_letters.DeadLetter) -> FailureSeen:
    return FailureSeen(
        id=letter.job_id, queue=letter.queue, name=letter.name, error=letter.error or "",
        failed_at=letter.dead_at.isoformat(), tries=letter.tries, stack=letter.stack, data=letter.data, kept=True,
    )  # fmt: skip


def _failed(queue: str, held: Any) -> FailureSeen:
    ended = datetime.fromtimestamp(held.finishedOn / 1000, UTC).isoformat() if held.finishedOn else None
    stack = "\n".join(getattr(held, "stacktrace", None) or []) or None
    return FailureSeen(
        id=str(held.id), queue=queue, name=held.name, error=held.failedReason or "", failed_at=ended,
        tries=held.attemptsMade, stack=stack, data=held.data, kept=False,
    )  # fmt: skip


async def queue_counts(redis: Redis) -> list[dict[str, Any]]:
    """What Redis alone knows of each queue: name, waiting, active, delayed, failed."""
    stats = [await _stats(redis, queue, {}) for queue in QUEUES]
    fields = ("name", "waiting", "active", "delayed", "failed", "paused")
    return [{field: getattr(one, field) for field in fields} for one in stats]

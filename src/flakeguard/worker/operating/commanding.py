"""Change queues: pause, resume, retry, discard, enqueue."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

import structlog

from flakeguard.worker import dead_letters
from flakeguard.worker.operating.inspecting import NoSuchJobError, bull_queue
from flakeguard.worker.outbox import owe
from fluxbase.resources import Resources

_EVERY = 1_000_000
logger = structlog.get_logger(__name__)


async def pause(resources: Resources, queue: str) -> None:
    """Let no worker begin with a job of the queue; what is under way goes on, what comes waits."""
    await bull_queue(resources.redis, queue).pause()
    logger.info("queue paused", queue=queue)


async def resume(resources: Resources, queue: str) -> None:
    """Let workers begin again."""
    await bull_queue(resources.redis, queue).resume()
    logger.info("queue resumed", queue=queue)


async def retry(resources: Resources, queue: str, job_id: str, *, actor: str) -> None:
    """Try a failed job again, with all its tries before it; `actor` is kept with the act.

    Raises:
        NoSuchJobError: No job of that id has failed in the queue.
    """
    async with resources.database.transaction() as connection:
        others = await dead_letters.foreign_ids(connection, queue, job_id)
        revived = await dead_letters.retry(connection, queue, job_id, actor=actor)
    await _forget_failed(resources, queue, others)
    if not revived and not await _retry_in_redis(resources, queue, job_id):
        raise NoSuchJobError(f"No job {job_id[:200]!r} has failed in {queue}.")
    logger.info("job retried by hand", queue=queue, job_id=job_id, actor=actor)


async def retry_failed(resources: Resources, queue: str, *, actor: str) -> int:
    """Try every failed job of the queue again; how many."""
    bull = bull_queue(resources.redis, queue)
    others = await bull.getJobs(["failed"], 0, -1)
    async with resources.database.transaction() as connection:
        letters = await dead_letters.dead_letters(connection, queue, limit=_EVERY)
        dead = await dead_letters.retry(connection, queue, actor=actor)
    known = {letter.foreign_id or letter.job_id for letter in letters}
    alone = [other for other in others if str(other.id) not in known]
    await _forget_failed(resources, queue, [letter.foreign_id for letter in letters if letter.foreign_id])
    for other in alone:
        await other.retry("failed", {"resetAttemptsMade": True})
    logger.info("failed jobs retried by hand", queue=queue, jobs=len(dead) + len(alone), actor=actor)
    return len(dead) + len(alone)


async def _retry_in_redis(resources: Resources, queue: str, job_id: str) -> bool:
    bull = bull_queue(resources.redis, queue)
    held = await bull.getJob(job_id)
    if held is None or await bull.getJobState(job_id) != "failed":
        return False
    await held.retry("failed", {"resetAttemptsMade": True})
    return True


async def _forget_failed(resources: Resources, queue: str, job_ids: Iterable[str]) -> int:
    """Drop failed jobs from Redis: what became of them is in PostgreSQL, under another id; how many there were."""
    bull, forgotten = bull_queue(resources.redis, queue), 0
    for job_id in job_ids:
        if await bull.getJobState(job_id) == "failed":
            await bull.remove(job_id)
            forgotten += 1
    return forgotten


async def discard(resources: Resources, queue: str, job_id: str, *, actor: str) -> None:
    """Give a failed job up for good. An upload it belonged to stays failed, with its cause.

    Raises:
        NoSuchJobError: No job of that id has failed in the queue.
    """
    async with resources.database.transaction() as connection:
        others = await dead_letters.foreign_ids(connection, queue, job_id)
        letters = await dead_letters.discard(connection, queue, job_id, actor=actor)
    forgotten = await _forget_failed(resources, queue, {job_id, *others})
    if not letters and not forgotten:
        raise NoSuchJobError(f"No job {job_id[:200]!r} has failed in {queue}.")
    logger.info("job discarded by hand", queue=queue, job_id=job_id, actor=actor)


async def enqueue(
    resources: Resources, queue: str, name: str, data: Mapping[str, Any], *, correlation_id: str | None
) -> str:
    """Owe a job (it survives a flushed Redis) and return its id. The data must be valid already."""
    job_id = f"manual-{uuid4()}"
    priority: Any = data.get("priority")
    told = {**data, "correlationId": data.get("correlationId") or correlation_id or job_id}
    async with resources.database.transaction() as connection:
        await owe(
            connection,
            queue=queue,
            name=name,
            job_id=job_id,
            data=told,
            correlation_id=told["correlationId"],
            priority=priority,
        )
    return job_id

"""Puts jobs on BullMQ's queues."""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from flakeguard.worker.bull import Queue
from flakeguard.worker.queues import MAX_RETRY_ATTEMPTS, PREFIX, QUEUES, REMOVE_ON_COMPLETE, REMOVE_ON_FAIL, bullmq_name

_ENDED = ("failed", "completed")


class Publisher:
    """One BullMQ queue object for each public queue, on one pooled client."""

    def __init__(self, redis: Redis) -> None:
        self._queues = {name: Queue(bullmq_name(name), {"connection": redis, "prefix": PREFIX}) for name in QUEUES}

    async def forget(self, queue: str, job_id: str) -> None:
        """Drop a finished or failed job from the queue, so that one of its id can be added again."""
        await self._queues[queue].remove(job_id)

    async def publish(self, queue: str, name: str, data: Mapping[str, Any], *, job_id: str) -> None:
        """Add the job unless one of that id waits or is under way.

        What is published is owed, so an ended job of that id is not the last word: BullMQ gave up while PostgreSQL was
        away, or because its worker died twice. BullMQ would take it for the same job and never run it again.

        Raises:
            redis.exceptions.RedisError: Redis is away.
        """
        if await self._queues[queue].getJobState(job_id) in _ENDED:
            await self.forget(queue, job_id)
        await self._queues[queue].add(
            name,
            data,
            {
                "jobId": job_id,
                "attempts": 1 + MAX_RETRY_ATTEMPTS,
                "backoff": {"type": "flakeguard"},
                "removeOnComplete": {"count": REMOVE_ON_COMPLETE},
                "removeOnFail": {"count": REMOVE_ON_FAIL},
            },
        )

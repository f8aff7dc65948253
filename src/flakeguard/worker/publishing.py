"""Puts jobs on BullMQ's queues."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.bull import Queue
from flakeguard.worker.queues import (
    DEFAULT_PRIORITY,
    PREFIX,
    PRIORITIES,
    QUEUES,
    REMOVE_ON_COMPLETE,
    REMOVE_ON_FAIL,
    bullmq_name,
)
from flakeguard.worker.retry_policy import MAX_RETRY_ATTEMPTS

_ENDED = ("failed", "completed")
BACKOFF = "flakeguard"


@dataclass(frozen=True, slots=True)
class Kept:
    """How many ended jobs of a queue stay in Redis for people to look at."""

    completed: int = REMOVE_ON_COMPLETE
    failed: int = REMOVE_ON_FAIL

    @classmethod
    def by(cls, settings: FlakeGuardSettings) -> "Kept":
        """As REMOVE_ON_COMPLETE and REMOVE_ON_FAIL say."""
        return cls(settings.remove_on_complete, settings.remove_on_fail)

    def options(self) -> dict[str, Any]:
        """The same as BullMQ's options of a job."""
        return {"removeOnComplete": {"count": self.completed}, "removeOnFail": {"count": self.failed}}


class Publisher:
    """One BullMQ queue object for each public queue, on one pooled client."""

    def __init__(self, redis: Redis, kept: Kept | None = None) -> None:
        self._redis = redis
        self._kept = kept or Kept()
        self._queues = {name: Queue(bullmq_name(name), {"connection": redis, "prefix": PREFIX}) for name in QUEUES}

    async def publish(
        self, queue: str, name: str, data: Mapping[str, Any], *, job_id: str, priority: str = DEFAULT_PRIORITY
    ) -> None:
        """Add the job unless one of that id waits or is under way.

        What is published is owed, so an ended job of that id is not the last word: BullMQ gave up while PostgreSQL was
        away, or because its worker died twice. BullMQ would take it for the same job and never run it again.

        Raises:
            redis.exceptions.RedisError: Redis is away.
        """
        if await self._is_known(queue, job_id) and await self._queues[queue].getJobState(job_id) in _ENDED:
            await self._queues[queue].remove(job_id)
        options = {
            "jobId": job_id,
            "attempts": 1 + MAX_RETRY_ATTEMPTS,
            "backoff": {"type": BACKOFF},
            **self._kept.options(),
        }
        if number := PRIORITIES[priority]:
            options["priority"] = number
        await self._queues[queue].add(name, data, options)

    async def _is_known(self, queue: str, job_id: str) -> bool:
        # Nearly none is, and BullMQ's script that finds a job's state costs as much as adding it.
        return bool(await self._redis.exists(f"{PREFIX}:{bullmq_name(queue)}:{job_id}"))

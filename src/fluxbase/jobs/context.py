"""What a function is told of the job it runs, and what it may say."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from fluxbase.jobs.model import Claim
from fluxbase.resources import Resources

type TellProgress = Callable[[float, str | None], Awaitable[None]]


class Stop(StrEnum):
    """Why a job was told to stop."""

    CANCELLED = "cancelled"
    TIMED_OUT = "timed out"
    LOST = "lost"
    HANDED_BACK = "handed back"


class Job:
    """One attempt at a job.

    Attributes:
        id: Of the job.
        name: Of the function.
        payload: What was submitted.
        attempt: From 1. Attempts that ended with their worker count.
        max_attempts: How many there may be.
        user_id: Who submitted it; None for services and schedules.
        resources: The worker's connections.
    """

    def __init__(self, claim: Claim, resources: Resources, tell: TellProgress) -> None:
        self.id: UUID = claim.id
        self.name = claim.name
        self.payload: Mapping[str, Any] = claim.payload
        self.attempt = claim.attempt
        self.max_attempts = claim.max_attempts
        self.user_id = claim.user_id
        self.resources = resources
        self.stop_reason: Stop | None = None
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()

    @property
    def cancelled(self) -> bool:
        """Whether to stop: cancelled, timed out, or no longer this worker's. Threads must look, coroutines are cut."""
        return self._stopped.is_set()

    def stop(self, reason: Stop) -> None:
        """Tell the function to stop. The first reason counts."""
        if self.stop_reason is None:
            self.stop_reason = reason
        self._stopped.set()

    async def progress(self, fraction: float, message: str | None = None) -> None:
        """Store how far it is, from 0 to 1. One write each: say it per hundred rows, not per row.

        Raises:
            ClaimLostError: The job is no longer this worker's.
        """
        await self._tell(min(max(fraction, 0.0), 1.0), message)

    def report_progress(self, fraction: float, message: str | None = None) -> None:
        """The same for plain functions, which run in a thread."""
        asyncio.run_coroutine_threadsafe(self.progress(fraction, message), self._loop).result()

"""BullMQ for Python, which is not typed: it is named here, once, and what it gives is `Any`.

Its worker asks Redis twice for each job: to end one, then for the next. BullMQ's script can do both at once, as its
worker of Node has it do; `Worker` here does so too.
"""

# pyright: reportUnknownMemberType=false
import time
from typing import Any

import bullmq  # pyright: ignore[reportMissingTypeStubs] -- see above
from bullmq.custom_errors import (  # pyright: ignore[reportMissingTypeStubs] -- see above
    DelayedError,
    UnrecoverableError,
    WaitingChildrenError,
)

Queue: Any = bullmq.Queue
BareWorker: Any = bullmq.Worker


class Worker(BareWorker):
    """BullMQ's worker that is given its next job by the answer to the end of the one before.

    A worker that closes takes none; what reaches it while it closes goes back to the queue, at no cost of a try.
    """

    takes_next = True

    def __init__(self, name: str, processor: Any, options: dict[str, Any]) -> None:
        super().__init__(name, processor, options)
        self._complete: Any = self.backend.moveToCompleted
        self._next: dict[str, Any] = {}
        self.backend.moveToCompleted = self._complete_and_take

    async def processJob(self, job: Any, token: str) -> Any:  # noqa: N802 -- BullMQ's name
        """Do the job; the next one, or None. BullMQ's loop does whatever job a task of it ends with."""
        await super().processJob(job, token)
        if (told := self._next.pop(token, None)) is None:
            return None
        data, job_id, *_nothing_to_wait_for = told
        taken = await self.nextJobFromJobData(data, job_id, token=token)
        self.emit("active", taken, "waiting")
        return await self._kept(taken, token)

    async def getNextJob(self, token: str) -> Any:  # noqa: N802 -- BullMQ's name
        """The first job, where none has just ended."""
        return await self._kept(await super().getNextJob(token), token)

    async def _complete_and_take(
        self, job: Any, value: object, remove: object, token: str, **_never_takes: object
    ) -> Any:
        takes = self.takes_next and not (self.closing or self.paused)
        completed = await self._complete(job, value, remove, token, fetch_next=takes)
        if (told := completed["result"]) and told[0]:
            self._next[token] = told
        return completed

    async def _kept(self, job: Any, token: str) -> Any:
        if job and self.closing:  # BullMQ waits for what it knows of when it begins to close, and for no more
            await job.moveToDelayed(round(time.time() * 1000), token)
            return None
        return job


__all__ = ["BareWorker", "DelayedError", "Queue", "UnrecoverableError", "WaitingChildrenError", "Worker"]

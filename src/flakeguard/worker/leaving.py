"""A worker that is told to stop finishes what it holds, for so long; what is not done by then goes back to its queue.

Without that a long job would be taken over only when it counts as stalled, 30 seconds later, and would have used up
one of its lives.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import structlog

from flakeguard.worker.bull import DelayedError

logger = structlog.get_logger(__name__)


class Leaving:
    """The limit on what is under way when the worker stops."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def out_of_time(self) -> None:
        """Hand everything back that is still under way."""
        self._over.set()

    async def within[T](self, bull_job: Any, token: str, work: Coroutine[Any, Any, T]) -> T:
        """Do the work; when the time is over before it is done, undo it and put the job back, at no cost of a try.

        Raises:
            DelayedError: It was handed back; BullMQ then leaves it alone.
        """
        task, over = asyncio.ensure_future(work), asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait((task, over), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        finally:
            over.cancel()
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            return task.result()  # it was done while it was told
        await bull_job.moveToDelayed(round(time.time() * 1000), token)
        logger.info("job handed back", job_id=str(bull_job.id), queue=bull_job.queue.name)
        raise DelayedError

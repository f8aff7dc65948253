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
        self._over = False
        self._under_way: set[asyncio.Task[Any]] = set()

    def out_of_time(self) -> None:
        """Hand everything back that is still under way."""
        self._over = True
        for task in self._under_way:
            task.cancel()

    async def within[T](self, bull_job: Any, token: str, work: Coroutine[Any, Any, T]) -> T:
        """Do the work; when the time is over before it is done, undo it and put the job back, at no cost of a try.

        Raises:
            DelayedError: It was handed back; BullMQ then leaves it alone.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- BullMQ runs each job as one
        if not self._over:
            self._under_way.add(task)
            try:
                return await work
            except asyncio.CancelledError:
                if not self._over or task.uncancel() > 0:
                    raise  # somebody else means it
            finally:
                self._under_way.discard(task)
        work.close()
        await bull_job.moveToDelayed(round(time.time() * 1000), token)
        logger.info("job handed back", job_id=str(bull_job.id), queue=bull_job.queue.name)
        raise DelayedError

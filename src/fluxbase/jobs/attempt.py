"""One attempt under way: run the function, store how it ended, count it."""

import asyncio
import time
from uuid import UUID

import structlog

from fluxbase.db import Database
from fluxbase.jobs.claims import settle
from fluxbase.jobs.context import Job, Stop
from fluxbase.jobs.executing import Completed, Failed, Outcome, Stopped, execute
from fluxbase.jobs.functions import Function
from fluxbase.jobs.model import Claim
from fluxbase.monitoring.job_metrics import JobMetrics

logger = structlog.get_logger(__name__)


class Attempt:
    """A claim and the task that works at it. Made inside the event loop; begins at once."""

    def __init__(self, claim: Claim, function: Function, job: Job, database: Database, metrics: JobMetrics) -> None:
        self.claim = claim
        self._function = function
        self._job = job
        self._database = database
        self._metrics = metrics
        with structlog.contextvars.bound_contextvars(job_id=str(claim.id), function=claim.name, attempt=claim.attempt):
            self._execution = asyncio.create_task(execute(function, job), name=f"function {claim.name}")
            self.task = asyncio.create_task(self._run(), name=f"job {claim.name}")

    @property
    def key(self) -> tuple[UUID, int]:
        """What names this attempt for ever."""
        return self.claim.id, self.claim.claim

    def stop(self, reason: Stop) -> None:
        """Tell the function to stop. What has ended, and is being stored, is left to be stored."""
        if self._job.stop_reason is None and not self._execution.done():
            self._job.stop(reason)
            self._execution.cancel()

    async def _run(self) -> None:
        started = time.perf_counter()
        outcome = await self._outcome()
        seconds = time.perf_counter() - started
        status = await settle(self._database, self.claim, self._function, outcome)
        self._metrics.duration.labels(self.claim.name).observe(seconds)
        self._record(outcome, status, round(seconds, 3))

    async def _outcome(self) -> Outcome:
        try:
            return await self._execution
        except asyncio.CancelledError:
            if self._job.stop_reason is None or not self._execution.cancelled():
                raise
            return Stopped(self._job.stop_reason)  # it was stopped before it took its first step

    def _record(self, outcome: Outcome, status: str | None, seconds: float) -> None:
        if status is None:
            logger.warning("job lost", seconds=seconds)  # somebody else has it: what was done here is not recorded
            return
        match outcome:
            case Completed() if status == "completed":
                self._metrics.completed.labels(self.claim.name).inc()
                logger.info("job completed", seconds=seconds)
            case Failed(error, stack):
                if status == "failed":
                    self._metrics.failed.labels(self.claim.name).inc()
                logger.warning("job failed", seconds=seconds, error=error, final=status == "failed", stack=stack)
            case _:
                if status == "failed":  # it was lost for the last time
                    self._metrics.failed.labels(self.claim.name).inc()
                logger.info("job stopped", seconds=seconds, status=status)

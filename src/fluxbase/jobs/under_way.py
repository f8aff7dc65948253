"""What one worker is at: its attempts, and what the table says of its claims."""

import asyncio
from collections.abc import Callable
from functools import partial
from uuid import UUID

import structlog

from fluxbase.jobs.attempt import Attempt
from fluxbase.jobs.claims import tell_progress
from fluxbase.jobs.context import Job, Stop
from fluxbase.jobs.functions import Functions
from fluxbase.jobs.model import Claim
from fluxbase.jobs.repository import SQL
from fluxbase.monitoring.job_metrics import JobMetrics
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

type _Key = tuple[UUID, int]  # of an attempt: job and claim


class UnderWay:
    """The attempts of a worker; `freed` is called whenever one of them has ended."""

    def __init__(
        self, resources: Resources, functions: Functions, metrics: JobMetrics, freed: Callable[[], None]
    ) -> None:
        self._resources = resources
        self._functions = functions
        self._metrics = metrics
        self._freed = freed
        self._attempts: dict[_Key, Attempt] = {}
        self._unsettled: set[_Key] = set()  # attempts that ended and could not be stored
        self._has_strays = False  # claims were seen that nothing here works at

    def __len__(self) -> int:
        return len(self._attempts)

    @property
    def job_ids(self) -> list[UUID]:
        """Of the attempts."""
        return [job_id for job_id, _claim in self._attempts]

    @property
    def owes(self) -> bool:
        """Whether the table has claims to be let go of (`hand_back_strays`)."""
        return self._has_strays or bool(self._unsettled)

    def begin(self, claim: Claim) -> None:
        """Start the attempt that this claim is for."""
        database = self._resources.database
        job = Job(claim, self._resources, partial(tell_progress, database, claim))
        attempt = Attempt(claim, self._functions[claim.name], job, database, self._metrics)
        self._attempts[attempt.key] = attempt
        attempt.task.add_done_callback(lambda _task: self._forget(attempt))

    def _forget(self, attempt: Attempt) -> None:
        del self._attempts[attempt.key]
        self._freed()
        if not attempt.task.cancelled() and (error := attempt.task.exception()) is not None:
            self._unsettled.add(attempt.key)
            logger.error("job could not be settled", job_id=str(attempt.claim.id), exc_info=error)

    def stop_all(self, reason: Stop) -> None:
        """Tell every attempt to stop."""
        for attempt in self._attempts.values():
            attempt.stop(reason)

    async def ended(self, timeout_seconds: float) -> None:
        """Wait for the attempts to end, but no longer than that."""
        if tasks := [attempt.task for attempt in self._attempts.values()]:
            await asyncio.wait(tasks, timeout=timeout_seconds)

    async def heed_stops(self, worker_id: UUID) -> None:
        """Stop the attempts that somebody cancelled, or that are not ours any more; see what is ours and not begun."""
        begun = list(self._attempts.items())
        async with self._resources.database.transaction() as connection:
            rows = await connection.fetch(SQL["own_claims"], worker_id)
        ours = {(row["id"], row["claim"]): row["cancel_requested"] for row in rows}
        for key, attempt in begun:
            if key not in ours:
                attempt.stop(Stop.LOST)
            elif ours[key]:
                attempt.stop(Stop.CANCELLED)
        if ours.keys() - self._attempts.keys():
            self._has_strays = True

    async def hand_back_strays(self, worker_id: UUID | None) -> None:
        """Let go of claims of ours that nothing works at: a connection that is cut in COMMIT claims unknown to us.

        To be called only where nothing claims meanwhile. What never began does not count as an attempt; what began and
        could not be stored does, or it would begin for ever.
        """
        jobs, claims = [key[0] for key in self._attempts], [key[1] for key in self._attempts]
        unsettled = set(self._unsettled)
        async with self._resources.database.transaction() as connection:
            for job_id, claim in unsettled:
                await connection.execute(SQL["lose_job"], job_id, claim)
            rows = await connection.fetch(SQL["hand_back_strays"], worker_id, jobs, claims)
        self._unsettled -= unsettled
        self._has_strays = False
        for row in rows:
            logger.warning("job handed back", job_id=str(row["id"]))

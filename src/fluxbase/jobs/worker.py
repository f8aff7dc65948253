"""A worker: claims jobs that it has functions for, runs several at once, keeps its heart beating, heals."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog

from fluxbase.db.listener import Listener
from fluxbase.jobs.claims import claim_jobs, patiently
from fluxbase.jobs.context import Stop
from fluxbase.jobs.functions import Functions
from fluxbase.jobs.model import Claim
from fluxbase.jobs.repository import SQL, declare_functions
from fluxbase.jobs.scheduling import declare_schedules, submit_due
from fluxbase.jobs.taking_over import take_over
from fluxbase.jobs.under_way import UnderWay
from fluxbase.monitoring.job_metrics import JobMetrics
from fluxbase.repeating import repeat
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

CHANNEL = "fluxbase_jobs"
_LAST_WORDS_SECONDS = 2.0
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Timing:
    """How a worker keeps time, in seconds.

    Attributes:
        heartbeat: Between heartbeats.
        dead_after: Without a heartbeat a worker is dead, and its jobs are taken over.
        look: Between looks for work, in case a wake-up was lost.
        drain: How long jobs under way may take to end when the worker stops.
    """

    heartbeat: float = 5.0
    dead_after: float = 30.0
    look: float = 5.0
    drain: float = 20.0


class Worker:
    """One worker of a process; it works for as long as the block of `running()` lasts."""

    def __init__(
        self,
        resources: Resources,
        functions: Functions,
        metrics: JobMetrics,
        *,
        name: str | None = None,
        concurrency: int = 5,
        timing: Timing | None = None,
    ) -> None:
        self._resources = resources
        self._functions = functions
        self._metrics = metrics
        self._concurrency = concurrency
        self._timing = timing or Timing()
        self.name = name or f"{socket.gethostname()}-{os.getpid()}"
        self.id: UUID | None = None
        self._awake = asyncio.Event()
        self._under_way = UnderWay(resources, functions, metrics, freed=self._awake.set)
        self._notified = False  # somebody else changed something, perhaps a job of ours
        self._last_beat = time.monotonic()
        self._draining = False

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Work; leaving drains. The heart beats until the last job has ended."""
        listener = Listener(self._resources.addresses.runtime_dsn, CHANNEL, self._hear)
        await patiently("registering", self._register)
        heartbeat = self._timing.heartbeat
        life = [
            asyncio.create_task(repeat("job worker's heart", self._beat, every_seconds=heartbeat)),
            # Not part of the beat: one that hangs in a dead connection takes longer than the others wait.
            asyncio.create_task(repeat("job worker's pulse", self._heed_silence, every_seconds=heartbeat / 4)),
        ]
        listening = asyncio.create_task(listener.run(), name="job worker's ears")
        work = asyncio.create_task(self._work(), name="job worker")
        try:
            yield
        finally:
            self._draining = True
            self._awake.set()
            await asyncio.wait([work], timeout=_LAST_WORDS_SECONDS)  # one who is claiming ends with what he claimed
            await _end([work, listening])
            await self._drain()
            await _end(life)
            await self._say("stopped")

    def _hear(self, _payload: str) -> None:
        self._notified = True
        self._awake.set()

    async def _register(self) -> None:
        """Say that this worker is there, what it runs and when. One that was declared dead does it again."""
        async with self._resources.database.transaction() as connection:
            await declare_functions(connection, self._functions)
            await declare_schedules(connection, self._functions, await connection.fetchval("SELECT now()"))
            about = (self.name, socket.gethostname(), os.getpid(), self._concurrency, self._functions.names)
            worker_id: UUID = await connection.fetchval(SQL["register_worker"], *about)
        self.id, self._last_beat = worker_id, time.monotonic()
        logger.info("job worker registered", worker=self.name, worker_id=str(worker_id))

    # ── work ──

    async def _work(self) -> None:
        while not self._draining:
            self._awake.clear()
            pause = await self._look()
            if self._draining:
                return
            with suppress(TimeoutError):  # the regular look
                async with asyncio.timeout(pause):
                    await self._awake.wait()

    async def _look(self) -> float:
        """Begin what is due; seconds until the next look."""
        pause = min(_AGAIN_SECONDS, self._timing.look)

        async def look() -> None:
            nonlocal pause
            if self._notified and self._under_way:
                await self._heed_stops()
            self._notified = False
            if self._under_way.owes:
                await self._under_way.hand_back_strays(self.id)
            pause = await self._begin_what_is_due()

        if self.id is not None:
            await patiently("looking for work", look)
        return pause

    async def _begin_what_is_due(self) -> float:
        """Claim and begin, as far as there is room; seconds until something is due that is known of."""
        free = 0 if self._seems_dead else self._concurrency - len(self._under_way)
        seconds: float | None = None
        claims: list[Claim] = []
        async with self._resources.database.transaction() as connection:
            await submit_due(connection, self._functions)
            if free > 0 and self.id is not None:
                claims = await claim_jobs(connection, self.id, self._functions.names, free)
            if len(claims) < free:
                seconds = await connection.fetchval(SQL["next_due_seconds"], self._functions.names)
        for claim in claims:
            self._under_way.begin(claim)
        return self._timing.look if seconds is None else min(max(seconds, 0.0), self._timing.look)

    # ── life ──

    @property
    def _seems_dead(self) -> bool:
        return time.monotonic() - self._last_beat > self._timing.dead_after

    async def _heed_silence(self) -> None:
        if self._seems_dead:  # the others take our jobs over: two must not run the same
            self._under_way.stop_all(Stop.LOST)

    async def _beat(self) -> None:
        if self.id is None and not self._draining:
            await self._register()
            self._awake.set()
        asked = time.monotonic()
        async with self._resources.database.transaction() as connection:
            alive = await connection.fetchval(SQL["beat"], self.id)
        if alive is None:
            logger.warning("job worker was declared dead", worker=self.name, worker_id=str(self.id))
            self._under_way.stop_all(Stop.LOST)
            self.id = None  # the next beat, which is not far, is that of another worker
            return
        was_silent, self._last_beat = self._seems_dead, asked
        await self._heed_stops()
        if was_silent or self._under_way.owes:
            self._awake.set()
        await take_over(self._resources.database, self._timing.dead_after, self._metrics)

    async def _heed_stops(self) -> None:
        if self.id is not None:
            await self._under_way.heed_stops(self.id)

    # ── the end ──

    async def _drain(self) -> None:
        """Let what runs end within the limit, and hand back the rest, as if it had not begun."""
        await self._say("draining")
        await patiently("handing back strays", partial(self._under_way.hand_back_strays, self.id))
        await self._under_way.ended(self._timing.drain)
        self._under_way.stop_all(Stop.HANDED_BACK)
        await self._under_way.ended(_LAST_WORDS_SECONDS)
        if self._under_way:  # it does not heed its end; the row is taken over, as that of a stopped worker
            logger.warning("jobs left behind", jobs=[str(job_id) for job_id in self._under_way.job_ids])

    async def _say(self, status: str) -> None:
        async def mark() -> None:
            async with self._resources.database.transaction(timeout_seconds=_LAST_WORDS_SECONDS) as connection:
                await connection.execute(SQL["mark_worker"], self.id, status)

        await patiently(f"saying {status}", mark)


async def _end(tasks: "list[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

"""Workers in this process, on the test's own database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry

from fluxbase.jobs import Functions, StoredJob
from fluxbase.jobs.model import JobStatus
from fluxbase.jobs.repository import declare_functions, find_job
from fluxbase.jobs.submitting import submit
from fluxbase.jobs.worker import Timing, Worker
from fluxbase.monitoring.job_metrics import JobMetrics
from fluxbase.resources import Resources

# A worker that is woken, not one that looks: a test of waking must not pass because somebody looked anyway.
# Nor does it give itself up because the machine is busy: tests of death say themselves who is silent.
QUICK = Timing(heartbeat=0.1, dead_after=60.0, look=60.0, drain=5.0)


class Jobs:
    """What tests do with jobs."""

    def __init__(self, resources: Resources, stack: AsyncExitStack) -> None:
        self.resources = resources
        self.stack = stack
        self.functions = Functions()
        self.registry = CollectorRegistry()
        self.metrics = JobMetrics(self.registry)

    def worker(self, *, timing: Timing = QUICK, concurrency: int = 5, name: str | None = None) -> Worker:
        return Worker(self.resources, self.functions, self.metrics, name=name, concurrency=concurrency, timing=timing)

    async def start(self, **options: Any) -> Worker:
        """A worker until the test ends."""
        worker = self.worker(**options)
        await self.stack.enter_async_context(worker.running())
        return worker

    def running(self, **options: Any) -> AbstractAsyncContextManager[None]:
        return self.worker(**options).running()

    async def submit(self, name: str, payload: dict[str, Any] | None = None, **options: Any) -> UUID:
        async with self.resources.database.transaction() as connection:
            await declare_functions(connection, self.functions)
            return (await submit(connection, name, payload, **options)).id

    async def find(self, job_id: UUID) -> StoredJob:
        async with self.resources.database.transaction() as connection:
            job = await find_job(connection, job_id)
        assert job is not None
        return job

    async def until(self, job_id: UUID, right: Callable[[StoredJob], bool], seconds: float = 30) -> StoredJob:
        async with asyncio.timeout(seconds):
            while not right(job := await self.find(job_id)):  # noqa: ASYNC110 -- what is waited for is in PostgreSQL
                await asyncio.sleep(0.01)
        return job

    async def ended(self, job_id: UUID) -> StoredJob:
        return await self.until(job_id, lambda job: job.status not in (JobStatus.PENDING, JobStatus.RUNNING))

    async def beats(self, worker: Worker, times: int = 3) -> None:
        """Wait until the heart of `worker` has beaten so often from now on."""
        async with asyncio.timeout(30):
            for _ in range(times):
                last = await self._last_beat(worker)
                while await self._last_beat(worker) == last:  # noqa: ASYNC110 -- what is waited for is in PostgreSQL
                    await asyncio.sleep(0.01)

    async def _last_beat(self, worker: Worker) -> Any:
        return await self.sql("SELECT last_heartbeat_at FROM jobs.workers WHERE id = $1", worker.id)

    async def sql(self, statement: str, *arguments: Any) -> Any:
        async with self.resources.database.transaction() as connection:
            return await connection.fetchval(statement, *arguments)


async def until(true: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 -- what is waited for is in PostgreSQL
            await asyncio.sleep(0.02)


@pytest.fixture
async def jobs(resources: Resources) -> AsyncIterator[Jobs]:
    async with AsyncExitStack() as stack:
        yield Jobs(resources, stack)


@pytest.fixture
def soon() -> timedelta:
    return timedelta(milliseconds=300)

"""Hearts stop: a worker that the others must think dead stops its jobs, and comes back."""

import asyncio
import math

import asyncpg
import pytest

from fluxbase.jobs import Job, JobStatus
from fluxbase.jobs.context import Stop
from fluxbase.jobs.worker import Worker

from .conftest import Jobs, until

type Owner = asyncpg.Connection[asyncpg.Record]


async def fall_silent(worker: Worker, jobs: Jobs | None = None) -> None:
    """As if the last heartbeat of `worker`, which cannot beat now, were long ago: for itself, and for the others."""
    stopped = asyncio.Event()
    stop_all = worker._under_way.stop_all

    def stop(reason: Stop) -> None:
        stop_all(reason)
        stopped.set()

    worker._under_way.stop_all = stop
    async with asyncio.timeout(30):
        while not stopped.is_set():  # a beat that was under way may have ended meanwhile
            worker._last_beat = -math.inf
            await asyncio.sleep(0.01)
    worker._under_way.stop_all = stop_all
    if jobs is not None:
        await jobs.sql("UPDATE jobs.workers SET last_heartbeat_at = '-infinity' WHERE id = $1", worker.id)


async def test_a_worker_whose_heart_stops_stops_its_jobs_and_comes_back(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[int] = []
    most = 0

    @jobs.functions.function("long")
    async def long(job: Job) -> str:
        nonlocal most
        running.append(job.attempt)
        most = max(most, len(running))
        try:
            if job.attempt == 1:
                await asyncio.Event().wait()
        finally:
            running.remove(job.attempt)
        return "by the second"

    ill = jobs.worker(name="ill", concurrency=1)
    beat, is_ill = ill._beat, False

    async def beat_when_well() -> None:
        if is_ill:
            raise OSError("no route to host")
        await beat()

    monkeypatch.setattr(ill, "_beat", beat_when_well)
    await jobs.stack.enter_async_context(ill.running())
    job_id = await jobs.submit("long")
    await jobs.until(job_id, lambda job: job.status is JobStatus.RUNNING)
    first_id, is_ill = ill.id, True
    await jobs.start(name="well", concurrency=1)
    await fall_silent(ill, jobs)
    job = await jobs.ended(job_id)
    assert (job.result, job.attempts, most) == ("by the second", 2, 1)

    async def declared_dead() -> bool:
        return await jobs.sql("SELECT status FROM jobs.workers WHERE id = $1", first_id) == "stopped"

    await until(declared_dead)
    is_ill = False

    async def came_back() -> bool:
        return ill.id is not None and ill.id != first_id

    await until(came_back)


async def test_an_only_worker_takes_up_its_own_jobs_after_an_outage(jobs: Jobs, owner: Owner) -> None:
    """It is the first one back, so nobody declares it dead: what it stopped is under a living worker."""
    runs: list[tuple[str, int]] = []
    stopped = asyncio.Semaphore(0)

    async def body(job: Job) -> str:
        runs.append((job.name, job.attempt))
        if job.attempt == 1:
            try:
                await asyncio.Event().wait()
            finally:
                stopped.release()
        return "done"

    jobs.functions.function("again", max_attempts=2)(body)
    jobs.functions.function("once", max_attempts=1)(body)
    worker = await jobs.start()
    ids = [await jobs.submit(name) for name in ("again", "once")]
    for job_id in ids:
        await jobs.until(job_id, lambda job: job.status is JobStatus.RUNNING)
    first_id = worker.id
    await owner.execute("REVOKE USAGE ON SCHEMA jobs FROM service_role")
    await fall_silent(worker)
    async with asyncio.timeout(30):
        for _ in ids:
            await stopped.acquire()
    await owner.execute("GRANT USAGE ON SCHEMA jobs TO service_role")
    again, once = [await jobs.ended(job_id) for job_id in ids]
    assert worker.id == first_id
    assert (again.status, again.attempts, again.result) == (JobStatus.COMPLETED, 2, "done")
    # At most once is at most once: it ran, so it is not begun again.
    assert (once.status, once.attempts) == (JobStatus.FAILED, 1)
    assert once.error is not None
    assert once.error.startswith("WorkerLost")
    assert sorted(runs) == [("again", 1), ("again", 2), ("once", 1)]


async def test_a_heartbeat_that_hangs_does_not_keep_jobs_from_being_stopped(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = asyncio.Event()

    @jobs.functions.function("long", max_attempts=1)
    async def long(_job: Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def hang() -> None:
        await asyncio.Event().wait()

    worker = jobs.worker()
    monkeypatch.setattr(worker, "_beat", hang)
    async with worker.running():
        job_id = await jobs.submit("long")
        await jobs.until(job_id, lambda job: job.status is JobStatus.RUNNING)
        await fall_silent(worker)
        async with asyncio.timeout(30):
            await stopped.wait()
        assert (await jobs.ended(job_id)).status is JobStatus.FAILED

"""Jobs are cancelled, and workers leave."""

import asyncio
import threading
from typing import Any

from fluxbase.jobs import Job, JobStatus
from fluxbase.jobs.worker import Timing

from .conftest import Jobs


async def test_jobs_are_cancelled_waiting_and_running(jobs: Jobs) -> None:
    ended = threading.Event()

    @jobs.functions.function("coroutine")
    async def coroutine(_job: Job) -> None:
        await asyncio.Event().wait()

    @jobs.functions.function("thread")
    def thread(job: Job) -> None:
        while not job.cancelled:
            ended.wait(0.01)
        ended.set()

    async def cancel(job_id: Any) -> None:
        await jobs.sql("UPDATE jobs.jobs SET cancel_requested_at = now() WHERE id = $1", job_id)

    # Hearts that beat once a minute: it is NOTIFY that tells.
    await jobs.start(timing=Timing(heartbeat=60, dead_after=120, look=60, drain=1))
    for name in ("coroutine", "thread"):
        job_id = await jobs.submit(name)
        await jobs.until(job_id, lambda job: job.status is JobStatus.RUNNING)
        await cancel(job_id)
        job = await jobs.ended(job_id)
        assert (job.status, job.attempts) == (JobStatus.CANCELLED, 1)
    assert ended.is_set()


async def test_leaving_waits_for_jobs_and_hands_back_the_rest(jobs: Jobs) -> None:
    began, go_on = asyncio.Semaphore(0), asyncio.Event()

    @jobs.functions.function("short")
    async def short(_job: Job) -> None:
        began.release()
        await go_on.wait()

    @jobs.functions.function("endless")
    async def endless(_job: Job) -> None:
        began.release()
        await asyncio.Event().wait()

    worker = jobs.worker(timing=Timing(heartbeat=0.1, dead_after=60.0, look=60.0, drain=1.0))

    async def go_on_when_it_drains() -> None:
        while not worker._draining:  # noqa: ASYNC110 -- there is no event for it
            await asyncio.sleep(0.01)
        go_on.set()

    later = asyncio.create_task(go_on_when_it_drains())
    async with worker.running():
        ids = [await jobs.submit(name) for name in ("short", "endless")]
        for _ in ids:
            await began.acquire()
        assert not go_on.is_set()
    await later
    short_job, endless_job = [await jobs.find(job_id) for job_id in ids]
    assert short_job.status is JobStatus.COMPLETED
    assert (endless_job.status, endless_job.attempts) == (JobStatus.PENDING, 0)
    assert await jobs.sql("SELECT array_agg(status) FROM jobs.workers") == ["stopped"]

"""Functions by name: results, arguments, threads, errors, retries."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from fluxbase.jobs import Backoff, Job, JobStatus, PermanentError
from fluxbase.jobs.errors import UnknownFunctionError

from .conftest import Jobs

AT_ONCE = Backoff(first_seconds=0, longest_seconds=0)


@pytest.mark.pg16
async def test_a_job_runs_and_its_result_is_stored(jobs: Jobs) -> None:
    seen: list[Job] = []

    @jobs.functions.function("report.daily")
    async def report(job: Job) -> dict[str, int]:
        seen.append(job)
        return {"rows": job.payload["rows"]}

    await jobs.start()
    job_id = await jobs.submit("report.daily", {"rows": 42})
    job = await jobs.ended(job_id)
    assert (job.status, job.result, job.attempts, job.progress) == (JobStatus.COMPLETED, {"rows": 42}, 1, 1)
    assert job.created_at <= job.started_at <= job.completed_at
    assert (seen[0].id, seen[0].attempt, seen[0].cancelled) == (job_id, 1, False)


async def test_a_plain_function_runs_in_a_thread_and_hearts_go_on_beating(jobs: Jobs) -> None:
    threads: list[threading.Thread] = []
    go_on = threading.Event()

    @jobs.functions.function("slow")
    def slow(job: Job) -> str:
        threads.append(threading.current_thread())
        assert go_on.wait(30)
        job.report_progress(0.5, "half")
        return "done"

    worker = await jobs.start()
    job_id = await jobs.submit("slow")
    await jobs.until(job_id, lambda job: job.status is JobStatus.RUNNING)
    await jobs.beats(worker)
    go_on.set()
    job = await jobs.ended(job_id)
    assert (job.status, job.result, job.attempts, job.progress_message) == (JobStatus.COMPLETED, "done", 1, "half")
    assert threads != [threading.main_thread()]


async def test_a_failure_is_tried_again_and_then_stays(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []

    @jobs.functions.function("broken", max_attempts=3, backoff=AT_ONCE)
    async def broken(job: Job) -> None:
        tries.append(job.attempt)
        secret = "hidden-in-a-local"  # noqa: F841 -- must not be in the stack
        raise ValueError("cannot reach postgresql://ada:hunter2hunter2@db/x with password=swordfish")

    await jobs.start()
    job = await jobs.ended(await jobs.submit("broken"))
    stack = await jobs.sql("SELECT error_stack FROM jobs.jobs WHERE id = $1", job.id)
    assert (job.status, tries, job.attempts) == (JobStatus.FAILED, [1, 2, 3], 3)
    assert job.error is not None
    assert job.error.startswith("ValueError: cannot reach")
    assert "async def" not in job.error
    assert "in broken" in stack
    for secret in ("hunter2", "swordfish"):
        assert secret not in job.error + stack + caplog.text
    assert jobs.registry.get_sample_value("fluxbase_jobs_failed_total", {"function": "broken"}) == 1


async def test_the_runbooks_retry_is_picked_up_at_once(jobs: Jobs, owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    broken = True

    @jobs.functions.function("repaired", max_attempts=1)
    async def repaired(_job: Job) -> str:
        if broken:
            raise RuntimeError("not yet")
        return "well"

    await jobs.start()
    job = await jobs.ended(await jobs.submit("repaired"))
    assert job.status is JobStatus.FAILED
    broken = False
    await owner.execute("UPDATE jobs.jobs SET status = 'pending', attempts = 0, error = NULL WHERE id = $1", job.id)
    job = await jobs.until(job.id, lambda job: job.status is JobStatus.COMPLETED)
    assert (job.attempts, job.result, job.error) == (1, "well", None)


async def test_the_runbooks_retry_does_not_wait_for_the_back_off(
    jobs: Jobs, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    tries = 0

    @jobs.functions.function("patient", max_attempts=3, backoff=Backoff(first_seconds=1000, jitter=0))
    async def patient(_job: Job) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise RuntimeError("the first time")

    await jobs.start()
    job_id = await jobs.submit("patient")
    job = await jobs.until(job_id, lambda job: job.error is not None)
    assert job.status is JobStatus.PENDING
    assert timedelta(seconds=990) < job.scheduled_at - datetime.now(UTC) <= timedelta(seconds=1000)
    await owner.execute("UPDATE jobs.jobs SET status = 'pending', attempts = 0, error = NULL WHERE id = $1", job_id)
    assert (await jobs.ended(job_id)).status is JobStatus.COMPLETED


async def test_what_cannot_be_helped_is_not_tried_again(jobs: Jobs) -> None:
    @jobs.functions.function("hopeless", backoff=AT_ONCE)
    async def hopeless(_job: Job) -> None:
        raise PermanentError("no such customer")

    @jobs.functions.function("no-json", backoff=AT_ONCE)
    async def no_json(_job: Job) -> object:
        return object()

    @jobs.functions.function("nul", backoff=AT_ONCE)
    async def nul(_job: Job) -> str:
        return "a\0b"

    await jobs.start()
    for name, word in (("hopeless", "PermanentError"), ("no-json", "InvalidResult"), ("nul", "InvalidResult")):
        job = await jobs.ended(await jobs.submit(name))
        assert (job.status, job.attempts) == (JobStatus.FAILED, 1)
        assert job.error is not None
        assert job.error.startswith(word)


async def test_a_timeout_ends_a_coroutine_and_is_tried_again(jobs: Jobs) -> None:
    @jobs.functions.function("endless", max_attempts=2, timeout_seconds=0.1, backoff=AT_ONCE)
    async def endless(_job: Job) -> None:
        await asyncio.Event().wait()

    await jobs.start()
    job = await jobs.ended(await jobs.submit("endless"))
    assert (job.status, job.attempts) == (JobStatus.FAILED, 2)
    assert job.error == "Timeout: it took longer than 0.1 seconds"


async def test_a_thread_that_times_out_is_told(jobs: Jobs) -> None:
    told: list[bool] = []

    @jobs.functions.function("thread", max_attempts=1, timeout_seconds=0.1)
    def thread(job: Job) -> None:
        while not job.cancelled:
            time.sleep(0.01)
        told.append(True)

    await jobs.start()
    job = await jobs.ended(await jobs.submit("thread"))
    assert (job.status, job.error, told) == (JobStatus.FAILED, "Timeout: it took longer than 0.1 seconds", [True])


async def test_a_thread_that_does_not_stop_is_not_started_twice(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fluxbase.jobs.executing._THREAD_GRACE_SECONDS", 0.1)
    go_on, starts = threading.Event(), []

    @jobs.functions.function("stubborn", max_attempts=3, timeout_seconds=0.1, backoff=AT_ONCE)
    def stubborn(job: Job) -> None:
        starts.append(job.attempt)
        go_on.wait(60)

    await jobs.start()
    job = await jobs.ended(await jobs.submit("stubborn"))
    go_on.set()
    assert (job.status, job.attempts, starts) == (JobStatus.FAILED, 1, [1])


async def test_the_higher_priority_first_then_the_earlier(jobs: Jobs) -> None:
    order: list[str] = []

    @jobs.functions.function("note")
    async def note(job: Job) -> None:
        order.append(job.payload["name"])

    now = datetime.now(UTC)
    ids = [
        await jobs.submit("note", {"name": name}, priority=priority, scheduled_at=now - timedelta(seconds=age))
        for name, priority, age in (("late", 0, 1), ("early", 0, 9), ("urgent", 5, 0), ("whenever", -5, 99))
    ]
    await jobs.start(concurrency=1)
    for job_id in ids:
        await jobs.ended(job_id)
    assert order == ["urgent", "early", "late", "whenever"]


async def test_a_job_for_later_runs_when_it_is_due_and_nobody_looks(jobs: Jobs, soon: timedelta) -> None:
    @jobs.functions.function("later")
    async def later(_job: Job) -> None: ...

    await jobs.start()
    job = await jobs.ended(await jobs.submit("later", scheduled_at=datetime.now(UTC) + soon))
    assert job.started_at is not None
    assert job.started_at >= job.scheduled_at


async def test_a_worker_leaves_alone_what_it_has_no_function_for(jobs: Jobs) -> None:
    @jobs.functions.function("mine")
    async def mine(_job: Job) -> None: ...

    theirs = await jobs.sql("INSERT INTO jobs.jobs (name, priority) VALUES ('theirs', 9) RETURNING id")
    await jobs.start()
    await jobs.ended(await jobs.submit("mine"))
    assert (await jobs.find(theirs)).status is JobStatus.PENDING
    with pytest.raises(UnknownFunctionError):
        await jobs.submit("theirs")


async def test_no_more_at_once_than_the_worker_may(jobs: Jobs) -> None:
    running = most = 0
    full = asyncio.Event()

    @jobs.functions.function("counted")
    async def counted(_job: Job) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 3:
            full.set()
        await full.wait()
        await asyncio.sleep(0)
        running -= 1

    await jobs.start(concurrency=3)
    for job_id in [await jobs.submit("counted") for _ in range(10)]:
        await jobs.ended(job_id)
    assert most == 3

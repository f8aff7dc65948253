"""Processes are killed, connections cut, hearts stop: every job ends, and none is recorded by who lost it."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from fluxbase.jobs import Functions, Job, JobStatus
from fluxbase.jobs.claims import claim_jobs, settle, tell_progress
from fluxbase.jobs.errors import ClaimLostError
from fluxbase.jobs.executing import Completed
from fluxbase.jobs.worker import Timing
from fluxbase.resources import Addresses

from . import worker_process
from .conftest import QUICK, Jobs

type Owner = asyncpg.Connection[asyncpg.Record]


@contextmanager
def process(addresses: Addresses, concurrency: int = 5) -> Iterator["subprocess.Popen[bytes]"]:
    script = Path(__file__).with_name("worker_process.py")
    running = subprocess.Popen(
        [sys.executable, str(script), addresses.runtime_dsn, addresses.redis_url, str(concurrency)],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield running
    finally:
        if running.poll() is None:
            running.kill()
        running.wait(20)


@pytest.fixture
async def executions(jobs: Jobs, owner: Owner) -> Callable[[], Any]:
    await owner.execute("CREATE TABLE executions (job_id uuid, attempt integer, pid integer, name text)")
    await owner.execute("GRANT SELECT, INSERT ON executions TO service_role")
    jobs.functions.include(worker_process.functions)

    async def read() -> list[asyncpg.Record]:
        return await owner.fetch("SELECT * FROM executions ORDER BY attempt")

    return read


async def until(true: Callable[[], Any], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 -- what is waited for is in PostgreSQL
            await asyncio.sleep(0.02)


async def test_a_worker_that_is_killed_leaves_its_jobs_to_another(
    jobs: Jobs, addresses: Addresses, executions: Callable[[], Any]
) -> None:
    job_id = await jobs.submit("execute", {"hang": 1})
    blocked = await jobs.submit("block")
    with process(addresses) as worker:

        async def both_run() -> bool:
            running = await jobs.sql("SELECT count(*) FROM jobs.jobs WHERE status = 'running'")
            return running == 2 and len(await executions()) == 1

        await until(both_run)
        await jobs.start(name="survivor")
        await asyncio.sleep(1.3)  # longer than the dead are waited for: a living worker's jobs are not taken
        assert len(await executions()) == 1
        assert (await jobs.find(blocked)).attempts == 1
        worker.send_signal(signal.SIGKILL)
        job = await jobs.ended(job_id)
    assert (job.status, job.result, job.attempts) == (JobStatus.COMPLETED, 2, 2)
    assert [row["attempt"] for row in await executions()] == [1, 2]
    assert (await jobs.ended(blocked)).attempts == 2
    assert await jobs.sql("SELECT status FROM jobs.workers WHERE pid = $1", worker.pid) == "stopped"


async def test_a_job_whose_workers_keep_dying_fails_in_the_end(jobs: Jobs) -> None:
    jobs.functions.include(worker_process.functions)
    job_id = await jobs.submit("execute", max_attempts=2)
    for _ in range(2):
        worker = await jobs.sql(
            "INSERT INTO jobs.workers (name, hostname, pid, concurrency, functions) VALUES ('dead', 'h', 1, 1, '{}') "
            "RETURNING id"
        )
        async with jobs.resources.database.transaction() as connection:
            assert len(await claim_jobs(connection, worker, ["execute"], 1)) == 1
            await connection.execute("UPDATE jobs.workers SET last_heartbeat_at = now() - interval '1 minute'")
        await jobs.worker()._take_over()
    job = await jobs.find(job_id)
    assert (job.status, job.attempts, job.error) == (
        JobStatus.FAILED, 2, "WorkerLost: its worker stopped before it ended",
    )  # fmt: skip


async def test_two_processes_do_two_hundred_jobs_once_each(
    jobs: Jobs, addresses: Addresses, executions: Callable[[], Any], owner: Owner
) -> None:
    with process(addresses), process(addresses):

        async def both_are_there() -> bool:
            return await jobs.sql("SELECT count(*) FROM jobs.workers WHERE status = 'active'") == 2

        await until(both_are_there)
        await owner.execute("INSERT INTO jobs.jobs (name, payload) SELECT 'execute', '{}' FROM generate_series(1, 200)")

        async def all_done() -> bool:
            return await jobs.sql("SELECT count(*) FROM jobs.jobs WHERE status = 'completed'") == 200

        await until(all_done)
    times = Counter(row["job_id"] for row in await executions())
    assert (len(times), set(times.values())) == (200, {1})
    assert len({row["pid"] for row in await executions()}) == 2
    assert await jobs.sql("SELECT max(attempts) FROM jobs.jobs") == 1


async def test_cut_connections_heal_and_the_job_under_way_ends_once(jobs: Jobs, owner: Owner) -> None:
    began, go_on, runs = asyncio.Event(), asyncio.Event(), []

    @jobs.functions.function("under-way")
    async def under_way(job: Job) -> str:
        runs.append(job.attempt)
        began.set()
        await go_on.wait()
        await job.progress(0.9)
        return "done"

    @jobs.functions.function("afterwards")
    async def afterwards(_job: Job) -> None: ...

    await jobs.start()
    job_id = await jobs.submit("under-way")
    await began.wait()
    for _ in range(3):
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await asyncio.sleep(0.05)
    go_on.set()

    async def ended() -> bool:
        return await owner.fetchval("SELECT status FROM jobs.jobs WHERE id = $1", job_id) == "completed"

    await until(ended)
    assert runs == [1]
    assert (await jobs.find(job_id)).result == "done"
    # Woken by NOTIFY on the connection that came back: a regular look is a minute away.
    assert (await jobs.ended(await jobs.submit("afterwards"))).status is JobStatus.COMPLETED


async def test_who_lost_a_claim_writes_nothing(jobs: Jobs) -> None:
    jobs.functions.include(worker_process.functions)
    function = jobs.functions["execute"]
    job_id = await jobs.submit("execute")
    worker = jobs.worker()
    await worker._register()
    assert worker.id is not None
    database = jobs.resources.database

    async def claim() -> Any:
        async with database.transaction() as connection:
            return (await claim_jobs(connection, worker.id, ["execute"], 1))[0]

    first = await claim()
    await jobs.sql("UPDATE jobs.jobs SET status = 'pending', attempts = 0 WHERE id = $1", job_id)
    second = await claim()
    # The very same worker and attempt number: only the claim tells them apart.
    assert (first.attempt, second.attempt) == (1, 1)
    assert await settle(database, first, function, Completed("of the first")) is None
    with pytest.raises(ClaimLostError):
        await tell_progress(database, first, 0.5, None)
    assert await settle(database, second, function, Completed("of the second")) == "completed"
    assert await settle(database, first, function, Completed("of the first")) is None
    assert (await jobs.find(job_id)).result == "of the second"


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

    ill = await jobs.start(name="ill", concurrency=1)
    job_id = await jobs.submit("long")
    await jobs.until(job_id, lambda job: job.status is JobStatus.RUNNING)
    first_id, beat = ill.id, ill._beat

    async def no_beat() -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(ill, "_beat", no_beat)
    await jobs.start(name="well", concurrency=1)
    job = await jobs.ended(job_id)
    assert (job.result, job.attempts, most) == ("by the second", 2, 1)
    monkeypatch.setattr(ill, "_beat", beat)

    async def came_back() -> bool:
        return ill.id is not None and ill.id != first_id

    await until(came_back)


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

    timing = Timing(heartbeat=0.1, dead_after=1.0, look=60.0, drain=0.3)
    async with jobs.running(timing=timing):
        ids = [await jobs.submit(name) for name in ("short", "endless")]
        for _ in ids:
            await began.acquire()
        asyncio.get_running_loop().call_later(0.1, go_on.set)
    short_job, endless_job = [await jobs.find(job_id) for job_id in ids]
    assert short_job.status is JobStatus.COMPLETED
    assert (endless_job.status, endless_job.attempts) == (JobStatus.PENDING, 0)
    assert await jobs.sql("SELECT array_agg(status) FROM jobs.workers") == ["stopped"]


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
        job = await jobs.ended(job_id, seconds=5)
        assert (job.status, job.attempts) == (JobStatus.CANCELLED, 1)
    assert ended.is_set()


async def test_a_claim_whose_commit_was_not_answered_is_handed_back(jobs: Jobs) -> None:
    """The connection is cut in COMMIT: the job is this worker's, and the worker does not know."""

    @jobs.functions.function("stray")
    async def stray(job: Job) -> int:
        return job.attempt

    worker = await jobs.start()
    job_id = await jobs.sql(
        "INSERT INTO jobs.jobs (name, status, worker_id, attempts, claim) VALUES ('stray', 'running', $1, 1, 1) "
        "RETURNING id",
        worker.id,
    )
    job = await jobs.ended(job_id)
    assert (job.status, job.result) == (JobStatus.COMPLETED, 1)


async def test_a_worker_starts_before_its_database_lets_it(jobs: Jobs, owner: Owner) -> None:
    @jobs.functions.function("first")
    async def first(_job: Job) -> None: ...

    await owner.execute("REVOKE USAGE ON SCHEMA jobs FROM service_role")
    async with jobs.running(timing=QUICK):
        await owner.execute("GRANT USAGE ON SCHEMA jobs TO service_role")
        job_id = await owner.fetchval("INSERT INTO jobs.jobs (name) VALUES ('first') RETURNING id")
        assert (await jobs.ended(job_id)).status is JobStatus.COMPLETED


def test_a_registry_refuses_what_cannot_work() -> None:
    functions = Functions()

    @functions.function("one")
    async def one(_job: Job) -> None: ...

    with pytest.raises(ValueError, match="registered already"):
        functions.function("one")(one)
    with pytest.raises(ValueError, match="is not registered"):
        functions.schedule("s", function="two", cron="* * * * *")
    with pytest.raises(ValueError, match="no cron expression"):
        functions.schedule("s", function="one", cron="61 * * * *")
    with pytest.raises(ValueError, match="no time zone"):
        functions.schedule("s", function="one", cron="* * * * *", time_zone="Mars/Olympus")
    with pytest.raises(ValueError, match="max_attempts"):
        functions.function("three", max_attempts=0)(one)

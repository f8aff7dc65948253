"""Processes are killed, connections cut, hearts stop: every job ends, and none is recorded by who lost it."""

import asyncio
import math
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
from fluxbase.jobs.context import Stop
from fluxbase.jobs.errors import ClaimLostError
from fluxbase.jobs.executing import Completed
from fluxbase.jobs.worker import Timing, Worker
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


async def until(true: Callable[[], Any], seconds: float = 30) -> None:
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
        await jobs.beats(await jobs.start(name="survivor"))  # it looked for the dead, and found none
        assert len(await executions()) == 1
        assert (await jobs.find(blocked)).attempts == 1
        worker.send_signal(signal.SIGKILL)
        worker.wait(20)
        await jobs.sql("UPDATE jobs.workers SET last_heartbeat_at = '-infinity' WHERE pid = $1", worker.pid)
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
        await owner.execute(
            "INSERT INTO jobs.jobs (name, priority, payload) SELECT 'execute', (i <= 10)::int, "
            "jsonb_build_object('processes', CASE WHEN i <= 10 THEN 2 END) FROM generate_series(1, 200) AS i"
        )

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


async def fall_silent(worker: Worker, jobs: Jobs | None = None) -> None:
    """As if the last heartbeat of `worker`, which cannot beat now, were long ago: for itself, and for the others."""
    stopped = asyncio.Event()
    stop_all = worker._stop_all

    def stop(reason: Stop) -> None:
        stop_all(reason)
        stopped.set()

    worker._stop_all = stop
    async with asyncio.timeout(30):
        while not stopped.is_set():  # a beat that was under way may have ended meanwhile
            worker._last_beat = -math.inf
            await asyncio.sleep(0.01)
    worker._stop_all = stop_all
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


async def test_a_claim_that_was_cancelled_before_it_began_is_no_attempt(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker stops just when the database has committed a claim."""
    committed = asyncio.Event()

    @jobs.functions.function("once", max_attempts=1)
    async def once(_job: Job) -> None: ...

    worker = jobs.worker(timing=Timing(heartbeat=60, dead_after=120, look=60, drain=5))
    begin_what_is_due = worker._begin_what_is_due

    async def claim_and_hang() -> float:
        monkeypatch.setattr(worker, "_begin", lambda _claim: None)
        await begin_what_is_due()
        committed.set()
        return await asyncio.Event().wait() or 0.0

    monkeypatch.setattr("fluxbase.jobs.worker._LAST_WORDS_SECONDS", 0.2)
    job_id = await jobs.submit("once")
    monkeypatch.setattr(worker, "_begin_what_is_due", claim_and_hang)
    async with worker.running():
        async with asyncio.timeout(20):
            await committed.wait()
        assert (await jobs.find(job_id)).attempts == 1
    job = await jobs.find(job_id)
    assert (job.status, job.attempts) == (JobStatus.PENDING, 0)


async def test_an_attempt_that_cannot_be_stored_counts(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    @jobs.functions.function("bad", max_attempts=2)
    async def bad(job: Job) -> None:
        runs.append(job.attempt)

    async def broken(*_arguments: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("fluxbase.jobs.attempt.settle", broken)
    await jobs.start()
    job = await jobs.ended(await jobs.submit("bad"))
    assert (job.status, job.attempts, runs) == (JobStatus.FAILED, 2, [1, 2])


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

"""Processes are killed and connections cut: every job ends, and none runs twice."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from fluxbase.jobs import Job, JobStatus
from fluxbase.jobs.claims import claim_jobs
from fluxbase.jobs.taking_over import take_over
from fluxbase.resources import Addresses

from . import worker_process
from .conftest import QUICK, Jobs, until

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
        await take_over(jobs.resources.database, 30.0, jobs.metrics)
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


async def test_a_worker_starts_before_its_database_lets_it(jobs: Jobs, owner: Owner) -> None:
    @jobs.functions.function("first")
    async def first(_job: Job) -> None: ...

    await owner.execute("REVOKE USAGE ON SCHEMA jobs FROM service_role")
    async with jobs.running(timing=QUICK):
        await owner.execute("GRANT USAGE ON SCHEMA jobs TO service_role")
        job_id = await owner.fetchval("INSERT INTO jobs.jobs (name) VALUES ('first') RETURNING id")
        assert (await jobs.ended(job_id)).status is JobStatus.COMPLETED

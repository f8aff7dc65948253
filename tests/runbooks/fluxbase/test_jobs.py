"""The runbook's chapter on background jobs: its statements, as an operator sends them."""

import asyncio

import asyncpg
import pytest

from flakeguard.settings import FlakeGuardSettings
from fluxbase.jobs import Functions, Job, running_jobs
from fluxbase.resources import Resources

STUCK = """
SELECT id, name, status, scheduled_at, attempts
FROM jobs.jobs
WHERE status = 'pending'
ORDER BY scheduled_at
LIMIT 20;
"""
WORKERS = "SELECT * FROM jobs.workers WHERE status = 'active';"
FAILING = """
SELECT id, name, attempts, error, updated_at
FROM jobs.jobs
WHERE status = 'failed'
ORDER BY updated_at DESC
LIMIT 20;
"""
RETRY = """
UPDATE jobs.jobs
SET status = 'pending', attempts = 0, error = NULL
WHERE id = '{}';
"""


@pytest.mark.pg16
async def test_a_failed_job_is_found_and_retried(
    resources: Resources, settings: FlakeGuardSettings, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    functions, repaired = Functions(), asyncio.Event()

    @functions.function("mail", max_attempts=1)
    async def mail(_job: Job) -> str:
        if not repaired.is_set():
            raise ConnectionError("the mail server refused")
        return "sent"

    async def until(statement: str) -> asyncpg.Record:
        async with asyncio.timeout(15):
            while not (rows := await owner.fetch(statement)):  # noqa: ASYNC110 -- what is waited for is in PostgreSQL
                await asyncio.sleep(0.01)
        return rows[0]

    job_id = await owner.fetchval("INSERT INTO jobs.jobs (name, max_attempts) VALUES ('mail', 1) RETURNING id")
    assert [row["id"] for row in await owner.fetch(STUCK)] == [job_id]
    assert await owner.fetch(WORKERS) == []
    async with running_jobs(resources, settings, functions):
        assert (await until(WORKERS))["functions"] == ["fluxbase.jobs.clean", "mail"]
        failed = await until(FAILING)
        assert (failed["id"], failed["attempts"]) == (job_id, 1)
        assert failed["error"] == "ConnectionError: the mail server refused"
        repaired.set()
        await owner.execute(RETRY.format(job_id))
        done = await until(f"SELECT * FROM jobs.jobs WHERE id = '{job_id}' AND status = 'completed'")
    assert (done["attempts"], done["error"], done["result"]) == (1, None, '"sent"')
    assert await owner.fetch(WORKERS) == []

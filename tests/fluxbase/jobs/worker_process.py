"""A worker in a process of its own, to be killed. Its arguments: runtime dsn, Redis' address, concurrency."""

import asyncio
import os
import sys
import time

from fluxbase.jobs import Functions, Job, running_jobs
from fluxbase.resources import Addresses, open_resources
from fluxbase.settings import Settings

functions = Functions()


@functions.function("execute", max_attempts=3)
async def execute(job: Job) -> int:
    """Leave a trace that this attempt began; hang for ever when told so and the first time.

    With `processes` in the payload, end when so many processes have begun with something.
    """
    async with job.resources.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO executions VALUES ($1, $2, $3, $4)", job.id, job.attempt, os.getpid(), job.name
        )
    if job.attempt <= job.payload.get("hang", 0):
        await asyncio.Event().wait()
    wanted = job.payload.get("processes") or 0
    while wanted and await _processes(job) < wanted:  # noqa: ASYNC110 -- what is waited for is in PostgreSQL
        await asyncio.sleep(0.02)
    return job.attempt


async def _processes(job: Job) -> int:
    async with job.resources.database.transaction() as connection:
        return await connection.fetchval("SELECT count(DISTINCT pid) FROM executions")


@functions.function("block", max_attempts=2)
def block(job: Job) -> None:
    """The same in a thread that heeds nothing."""
    while job.attempt == 1:
        time.sleep(1)


async def main(runtime_dsn: str, redis_url: str, concurrency: str) -> None:
    addresses = Addresses(owner_dsn=runtime_dsn, runtime_dsn=runtime_dsn, redis_url=redis_url, secret="x" * 40)
    settings = Settings(
        _env_file=None,  # pyright: ignore[reportCallIssue] -- pydantic-settings' own argument
        jobs_max_concurrent_per_worker=int(concurrency),
        jobs_heartbeat_interval="200ms",
        jobs_dead_after="60s",
    )
    async with (
        open_resources(addresses, application_name="jobs") as resources,
        running_jobs(resources, settings, functions),
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

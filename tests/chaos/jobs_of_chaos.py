"""What the worker runs while it is hurt."""

import asyncio

from fluxbase.jobs import Backoff, Functions, Job

functions = Functions()


@functions.function(
    "leave_a_trace", max_attempts=30, backoff=Backoff(first_seconds=0.5, multiplier=1), callable_by=("authenticated",)
)
async def leave_a_trace(job: Job) -> int:
    """Take a moment, in which it may be cut short, and leave a trace."""
    await asyncio.sleep(0.1)
    async with job.resources.database.transaction() as connection:
        await connection.execute("INSERT INTO effects VALUES ($1, $2)", job.id, job.attempt)
    return job.attempt

"""A claim is one worker's: who lost it records nothing, and one that nobody works at is given back."""

import asyncio
from typing import Any

import pytest

from fluxbase.jobs import Job, JobStatus
from fluxbase.jobs.claims import claim_jobs, settle, tell_progress
from fluxbase.jobs.errors import ClaimLostError
from fluxbase.jobs.executing import Completed
from fluxbase.jobs.worker import Timing

from . import worker_process
from .conftest import Jobs


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
        monkeypatch.setattr(worker._under_way, "begin", lambda _claim: None)
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

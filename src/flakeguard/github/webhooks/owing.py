"""What deliveries owe to the queues: runs to fetch, analyses to publish, buttons to answer."""

from typing import Any
from uuid import uuid4

from flakeguard.github.facts import Run
from flakeguard.github.installations.repository import KnownRepository
from flakeguard.github.webhooks.notices import ActionRequested
from flakeguard.github.webhooks.priorities import Priority
from flakeguard.github.webhooks.repository import KnownRun, jobs_of
from flakeguard.worker.jobs import (
    ANALYZE_RUN,
    PROCESS_RUN,
    Repository,
    RunMetadata,
    RunsAnalyzeJobData,
    RunsIngestJobData,
)
from flakeguard.worker.outbox import owe, revive
from flakeguard.worker.queues import ANALYZE, INGEST
from fluxbase.db import Connection

REQUESTED_ACTION = "requested-action"
_SOMEBODY_WAITS: Priority = "high"


async def owe_run(
    connection: Connection, repository: KnownRepository, run: Run, *, priority: Priority, cause: str
) -> str:
    """Owe a completed run's results; the job's id, which is the same however often one attempt is told of."""
    job_id = f"run-{repository.installation_id}-{repository.id}-{run.id}-{run.attempt}"
    data = RunsIngestJobData(
        correlation_id=cause,
        workflow_run_id=run.id,
        run_attempt=run.attempt,
        repository=_named(repository),
        priority=priority,
        metadata=_metadata(run),
    )
    await owe(
        connection, queue=INGEST, name=PROCESS_RUN, job_id=job_id, data=data.to_json(), correlation_id=cause,
        priority=priority,
    )  # fmt: skip
    return job_id


async def owe_analysis(
    connection: Connection, repository: KnownRepository, run: KnownRun, *, cause: str, again: bool
) -> str:
    """Owe a run's judgement and publication anew; the job's id, of its own for each time that somebody asks."""
    of = f"{run.workflow_run_id}-{run.run_attempt}"
    job_id = await _id_of_ask(
        connection, f"analyze-run-{repository.installation_id}-{repository.id}-{of}", cause, again
    )
    data = RunsAnalyzeJobData(
        correlation_id=cause,
        workflow_run_id=run.workflow_run_id,
        run_attempt=run.run_attempt,
        repository=_named(repository),
        force_recompute=True,
    )
    await owe(
        connection, queue=ANALYZE, name=ANALYZE_RUN, job_id=job_id, data=data.to_json(), correlation_id=cause,
        priority=_SOMEBODY_WAITS,
    )  # fmt: skip
    return job_id


async def owe_answer(
    connection: Connection, repository: KnownRepository, head_sha: str, *, cause: str, again: bool = False
) -> str:
    """Owe a commit's publication anew, without judging its runs again; the job's id, of its own for each cause."""
    job_id = await _id_of_ask(
        connection, f"analyze-run-{repository.installation_id}-{repository.id}-{head_sha}", cause, again
    )
    data: dict[str, Any] = {
        "repository": _named(repository).model_dump(by_alias=True),
        "headSha": head_sha,
        "forceRecompute": True,
        "correlationId": cause,
    }
    await owe(
        connection, queue=ANALYZE, name=ANALYZE_RUN, job_id=job_id, data=data, correlation_id=cause,
        priority=_SOMEBODY_WAITS,
    )  # fmt: skip
    return job_id


async def owe_action(
    connection: Connection, repository: KnownRepository, action: ActionRequested, *, cause: str
) -> str:
    """Owe what a button of our check run asks for; the job's id."""
    job_id = f"action-{cause}"
    data: dict[str, Any] = {
        "repository": _named(repository).model_dump(by_alias=True),
        "action": action.identifier,
        "checkRunId": action.check_run_id,
        "headSha": action.head_sha,
        "requestedBy": action.sender,
        "correlationId": cause,
    }
    await owe(
        connection, queue=ANALYZE, name=REQUESTED_ACTION, job_id=job_id, data=data, correlation_id=cause,
        priority=_SOMEBODY_WAITS,
    )  # fmt: skip
    return job_id


async def _id_of_ask(connection: Connection, wanted: str, cause: str, again: bool) -> str:  # noqa: FBT001 -- ours
    """The id of the job that a delivery (`cause`) asks for; one that was given up is owed again.

    Never one for the run: a job that is under way has read its facts before somebody asked for this one. A person may
    want the same delivery done `again` meanwhile.
    """
    job_id = f"{wanted}-{cause}"
    if await revive(connection, job_id) or not again:
        return job_id
    return f"{job_id}-{uuid4().hex}" if await jobs_of(connection, [job_id]) else job_id


def _named(repository: KnownRepository) -> Repository:
    owner, _, name = repository.full_name.partition("/")
    return Repository(owner=owner, repo=name, installation_id=repository.installation_id, repository_id=repository.id)


def _metadata(run: Run) -> RunMetadata | None:
    """The document's metadata, which has all of its parts or is not there."""
    if run.status is None or run.conclusion is None or run.head_branch is None:
        return None
    return RunMetadata(
        run_status=run.status, conclusion=run.conclusion, head_sha=run.head_sha, head_branch=run.head_branch
    )

"""What deliveries owe to the queues: runs to fetch, analyses to publish, buttons to answer."""

from typing import Any

from flakeguard.github.installations.repository import KnownRepository
from flakeguard.github.webhooks.notices import ActionRequested, Run
from flakeguard.github.webhooks.priorities import Priority
from flakeguard.github.webhooks.repository import KnownRun
from flakeguard.worker.outbox import owe
from flakeguard.worker.queues import ANALYZE, INGEST
from fluxbase.db import Connection

PROCESS_RUN = "process-run"
ANALYZE_RUN = "analyze-run"
REQUESTED_ACTION = "requested-action"


async def owe_run(
    connection: Connection, repository: KnownRepository, run: Run, *, priority: Priority, cause: str
) -> str:
    """Owe a completed run's results; the job's id, which is the same however often one attempt is told of."""
    job_id = f"run-{repository.installation_id}-{repository.id}-{run.id}-{run.attempt}"
    metadata = {
        "runStatus": run.status,
        "conclusion": run.conclusion,
        "headSha": run.head_sha,
        "headBranch": run.head_branch,
    }
    data = {
        "workflowRunId": run.id,
        "runAttempt": run.attempt,
        "repository": _repository(repository),
        "priority": priority,
        "metadata": {name: value for name, value in metadata.items() if value is not None},
        "correlationId": cause,
    }
    await owe(
        connection, queue=INGEST, name=PROCESS_RUN, job_id=job_id, data=data, correlation_id=cause, priority=priority
    )
    return job_id


async def owe_analysis(connection: Connection, repository: KnownRepository, run: KnownRun, *, cause: str) -> str:
    """Owe a run's judgement and publication anew; the job's id."""
    job_id = f"analyze-run-{repository.installation_id}-{repository.id}-{run.workflow_run_id}-{run.run_attempt}"
    data = {
        "workflowRunId": run.workflow_run_id,
        "runAttempt": run.run_attempt,
        "repository": _repository(repository),
        "forceRecompute": True,
        "correlationId": cause,
    }
    await owe(
        connection, priority="high", queue=ANALYZE, name=ANALYZE_RUN, job_id=job_id, data=data, correlation_id=cause
    )
    return job_id


async def owe_action(
    connection: Connection, repository: KnownRepository, action: ActionRequested, *, cause: str
) -> str:
    """Owe what a button of our check run asks for; the job's id."""
    job_id = f"action-{cause}"
    data = {
        "repository": _repository(repository),
        "action": action.identifier,
        "checkRunId": action.check_run_id,
        "headSha": action.head_sha,
        "requestedBy": action.sender,
        "correlationId": cause,
    }
    await owe(
        connection,
        priority="high",
        queue=ANALYZE,
        name=REQUESTED_ACTION,
        job_id=job_id,
        data=data,
        correlation_id=cause,
    )
    return job_id


def _repository(repository: KnownRepository) -> dict[str, Any]:
    owner, _, name = repository.full_name.partition("/")
    return {
        "owner": owner,
        "repo": name,
        "installationId": repository.installation_id,
        "repositoryId": repository.id,
    }

"""What every log line says while a job runs: the worker document's fields."""

from collections.abc import Mapping
from typing import Any, cast

from flakeguard.worker.processors import Job


def log_fields(job: Job) -> dict[str, Any]:
    """`job_id`, `queue`, `correlation_id`, and what the job names of `workflow_run_id`, `repository`, `priority`."""
    data = job.data
    fields = {
        "job_id": job.id,
        "queue": job.queue,
        "correlation_id": data.get("correlationId"),
        "workflow_run_id": data.get("workflowRunId"),
        "repository": _repository(data.get("repository")),
        "priority": data.get("priority"),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _repository(told: object) -> str | None:
    # Others may put anything on a queue, and a line of the log must come even so.
    if not isinstance(told, Mapping):
        return None
    repository = cast("Mapping[str, Any]", told)
    return f"{repository.get('owner')}/{repository.get('repo')}"

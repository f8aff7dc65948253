"""Owe a publication in the transaction that analysed an upload."""

import re
from typing import Any
from uuid import UUID

from flakeguard.github.publishing.repository import SQL
from flakeguard.worker.jobs import ANALYZE_RUN
from flakeguard.worker.outbox import owe
from flakeguard.worker.queues import ANALYZE
from fluxbase.db import Connection

_FULL_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


async def owe_publication(connection: Connection, ingestion_id: UUID) -> str | None:
    """Owe what GitHub is to hear of an analysed upload; the job's id, or None when nothing is to be said there.

    The upload came as an artifact, or names a repository of an installation that its organisation is bound to. One job
    for each upload, never one for the commit: a job that is under way has read the commit before this upload, and to be
    owed already must not mean to be done. Jobs that find nothing new send nothing.
    """
    row = await connection.fetchrow(SQL["commit_of_ingestion"], ingestion_id)
    if row is None or not _FULL_SHA.fullmatch(row["head_sha"]):
        return None
    run_id = row["workflow_run_id"] or (int(row["external_run_id"]) if (row["external_run_id"] or "").isdigit() else 0)
    installation, repository = row["installation_id"], row["repository_id"]
    attempt = f"{installation}-{repository}-{run_id}-{row['run_attempt']}"
    job_id = f"analyze-run-{attempt}-{ingestion_id.hex[:16]}"
    owner, _, name = row["full_name"].partition("/")
    data: dict[str, Any] = {
        "workflowRunId": run_id,
        "repository": {
            "owner": owner, "repo": name, "installationId": installation, "repositoryId": repository,
        },
        "headSha": row["head_sha"],
        "correlationId": row["correlation_id"],
    }  # fmt: skip
    await owe(
        connection, queue=ANALYZE, name=ANALYZE_RUN, job_id=job_id, data=data, correlation_id=row["correlation_id"]
    )
    return job_id

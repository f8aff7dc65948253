"""What each queue's jobs do: read the data, call one function, return what Bull Board shows."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from flakeguard.analysis.analyzing import analyze_ingestion, reanalyze_project
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.ingestion.processing import process_upload
from flakeguard.reports.archives import ArchiveLimits
from flakeguard.worker.outbox import bury, count_delivery, settle
from flakeguard.worker.queues import ANALYZE, INGEST, MAX_DELIVERIES, RECOMPUTE
from fluxbase.db import load
from fluxbase.errors import InvalidRequestError
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)
_SQL = load(__package__)

type Processor = Callable[["Job"], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as processors see it. `last_try` is whether a failure now is final."""

    id: str
    queue: str
    name: str
    data: Mapping[str, Any]
    last_try: bool


class InvalidJobError(InvalidRequestError):
    """A job's data is not what its name promises; trying again cannot help."""

    code = "invalid_job"


def processors(resources: Resources, config: AnalysisConfig, limits: ArchiveLimits) -> Mapping[str, Processor]:
    """The processor of each queue, by its public name."""

    async def ingest(job: Job) -> dict[str, Any]:
        stored = await process_upload(
            resources.database, _ingestion_id(job), job_id=job.id, now=resources.now, limits=limits
        )
        return {"testResults": stored}

    async def recompute(job: Job) -> dict[str, Any]:
        judged = await reanalyze_project(
            resources.database, _project_id(job), recompute=True, config=config, now=resources.now()
        )
        async with resources.database.transaction() as connection:
            await settle(connection, job.id)
        return {"testsAnalyzed": judged}

    async def analyze(job: Job) -> dict[str, Any]:
        if job.name == RECOMPUTE:
            return await recompute(job)
        judged = await analyze_ingestion(
            resources.database, _ingestion_id(job), job_id=job.id, config=config, now=resources.now
        )
        return {"testsAnalyzed": judged}

    return {INGEST: ingest, ANALYZE: analyze}


class PoisonousJobError(InvalidRequestError):
    """A job that workers began with again and again, and never finished nor failed."""

    code = "poisonous_job"


async def begin(resources: Resources, job: Job) -> None:
    """Count that a worker begins with the job, before it can end that worker.

    Raises:
        PoisonousJobError: Workers began with it too often.
    """
    async with resources.database.transaction() as connection:
        deliveries = await count_delivery(connection, job.id)
    if deliveries > MAX_DELIVERIES:
        raise PoisonousJobError(
            f"workers began with it {MAX_DELIVERIES} times and did not finish it: it probably ends them (memory?)"
        )


async def give_up(resources: Resources, job: Job, error: str) -> None:
    """Nobody tries again until a person says so: the outbox keeps the job with its cause, the upload says it failed."""
    async with resources.database.transaction() as connection:
        await bury(connection, job.id, error)
        if ingestion_id := _ingestion_id_or_none(job):
            await connection.execute(_SQL["mark_failed"], ingestion_id, error)


def _ingestion_id(job: Job) -> UUID:
    found = _ingestion_id_or_none(job)
    if found is None:
        raise InvalidJobError(f"{job.name} needs data.ingestionId, a UUID")
    return found


def _project_id(job: Job) -> int:
    found = job.data.get("projectId")
    if not isinstance(found, int):
        raise InvalidJobError(f"{job.name} needs data.projectId, a number")
    return found


def _ingestion_id_or_none(job: Job) -> UUID | None:
    try:
        return UUID(str(job.data.get("ingestionId")))
    except ValueError:
        return None

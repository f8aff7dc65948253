"""What each job does: read the data, call one function, return what Bull Board shows."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from flakeguard.analysis.analyzing import Tell, analyze_ingestion, reanalyze_project
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.model import Verdict
from flakeguard.analysis.recompute.recomputing import RecomputeBatchJobData, recompute_batch
from flakeguard.analysis.recompute.recomputing import begin as begin_recomputation
from flakeguard.analysis.repository import Judged
from flakeguard.github.installations.actions import perform
from flakeguard.github.installations.adopting import adopt_installation
from flakeguard.github.installations.binding import ADOPT
from flakeguard.github.installations.client import AppClient
from flakeguard.github.jobs import Fetching, fetch_run, find_due, give_run_up, look
from flakeguard.github.publishing.owing import owe_publication
from flakeguard.github.publishing.processing import Publishing, analyze_run
from flakeguard.github.webhooks.owing import REQUESTED_ACTION
from flakeguard.github.webhooks.working import App
from flakeguard.ingestion.processing import process_upload
from flakeguard.reports.archives import ArchiveLimits
from flakeguard.worker.dead_letters import Cause, bury
from flakeguard.worker.errors import InvalidJobError, NoAppError, PoisonousJobError
from flakeguard.worker.jobs import (
    ANALYZE_RUN,
    ANALYZE_UPLOAD,
    DISCOVER,
    POLL_REPOSITORY,
    PROCESS_RUN,
    PROCESS_UPLOAD,
    RECOMPUTE,
    RECOMPUTE_BATCH,
    RECOMPUTE_PROJECT,
    RecomputeProjectJobData,
    TestsRecomputeJobData,
    UploadJobData,
)
from flakeguard.worker.metrics import AnalysisMetrics
from flakeguard.worker.outbox import count_delivery, settle
from flakeguard.worker.queues import ANALYZE, INGEST, MAX_DELIVERIES, POLLING, TESTS_RECOMPUTE
from fluxbase.db import load
from fluxbase.resources import Resources

_SQL = load(__package__)

type Processor = Callable[["Job"], Awaitable[Mapping[str, Any]]]
type Processors = Mapping[tuple[str, str], Processor]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as processors see it.

    `tries` counts from 1 with this one, and `last_try` is whether a failure now is final; `stalled` is how many workers
    died with it; `bull` is BullMQ's own job, for progress and children; `token` is what that wants to be shown.
    """

    id: str
    queue: str
    name: str
    data: Mapping[str, Any]
    last_try: bool
    tries: int = 1
    stalled: int = 0
    added_ms: int = 0
    bull: Any = None
    token: str = ""


def processors(
    resources: Resources,
    config: AnalysisConfig,
    limits: ArchiveLimits,
    metrics: AnalysisMetrics,
    app: App,
    client: AppClient | None = None,
    *,
    fetching: Fetching,
    publishing: Publishing | None = None,
) -> Processors:
    """The processor of each job, by the public name of its queue and its own.

    What needs GitHub waits, without `client` or `publishing`, for a worker that has them.
    """
    tell = _counting(metrics)

    async def upload(job: Job) -> Mapping[str, Any]:
        ingestion_id = UploadJobData.of(job.name, job.data).ingestion_id
        stored = await process_upload(resources.database, ingestion_id, job_id=job.id, now=resources.now, limits=limits)
        return {"testResults": stored}

    async def analyze(job: Job) -> Mapping[str, Any]:
        ingestion_id = UploadJobData.of(job.name, job.data).ingestion_id
        judged = await analyze_ingestion(
            resources.database, ingestion_id, job_id=job.id, config=config, now=resources.now, tell=tell,
            owe_next=(owe_publication,),
        )  # fmt: skip
        return {"testsAnalyzed": judged}

    async def analyze_a_run(job: Job) -> Mapping[str, Any]:
        if publishing is None:
            raise NoAppError
        return await analyze_run(
            resources.database, publishing, job.name, job.data,
            job_id=job.id, afresh=job.tries > 1 or job.stalled > 0, config=config, now=resources.now, tell=tell,
        )  # fmt: skip

    async def recompute_project(job: Job) -> Mapping[str, Any]:
        project_id = RecomputeProjectJobData.of(job.name, job.data).project_id
        judged = await reanalyze_project(
            resources.database, project_id, recompute=True, config=config, now=resources.now(), tell=tell
        )
        async with resources.database.transaction() as connection:
            await settle(connection, job.id)
        return {"testsAnalyzed": judged}

    async def adopt(job: Job) -> Mapping[str, Any]:
        return {"deliveries": await adopt_installation(resources, app, client, job.data, job_id=job.id)}

    async def act(job: Job) -> Mapping[str, Any]:
        public_url = publishing and publishing.manner.public_url
        answer = await perform(resources, client, job.data, job_id=job.id, config=config, public_url=public_url)
        return {"answer": answer}

    return {
        (INGEST, PROCESS_UPLOAD): upload,
        (INGEST, ADOPT): adopt,
        (ANALYZE, REQUESTED_ACTION): act,
        (ANALYZE, ANALYZE_UPLOAD): analyze,
        (ANALYZE, ANALYZE_RUN): analyze_a_run,
        (ANALYZE, RECOMPUTE_PROJECT): recompute_project,
        **_fetching(resources, fetching),
        **_recomputing(resources, config, tell),
    }


def _counting(metrics: AnalysisMetrics) -> Tell:
    def tell(judged: Sequence[Judged]) -> None:
        flaky = sum(one.analysis.verdict is Verdict.FLAKY and one.state.verdict is not Verdict.FLAKY for one in judged)
        metrics.judged((one.analysis.score.total for one in judged), newly_flaky=flaky)

    return tell


def _recomputing(resources: Resources, config: AnalysisConfig, tell: Tell) -> Processors:
    async def recompute(job: Job) -> Mapping[str, Any]:
        data = TestsRecomputeJobData.of(job.name, job.data)
        return await begin_recomputation(resources.database, data, job_id=job.id, now=resources.now())

    async def batch(job: Job) -> Mapping[str, Any]:
        data = RecomputeBatchJobData.of(job.name, job.data)
        progress = await recompute_batch(
            resources.database, data, job_id=job.id, config=config, now=resources.now(), tell=tell
        )
        if progress is None:
            return {"testsAnalyzed": None}
        await job.bull.updateProgress(round(100 * progress.batches_done / progress.batches))
        return {"testsAnalyzed": len(data.test_ids), **asdict(progress)}

    return {(TESTS_RECOMPUTE, RECOMPUTE): recompute, (TESTS_RECOMPUTE, RECOMPUTE_BATCH): batch}


def _fetching(resources: Resources, fetching: Fetching) -> Processors:
    async def fetch(job: Job) -> Mapping[str, Any]:
        return await fetch_run(resources, fetching, job.name, job.data, job_id=job.id)

    async def find(job: Job) -> Mapping[str, Any]:
        return await find_due(resources, fetching, job_id=job.id)

    async def poll(job: Job) -> Mapping[str, Any]:
        return await look(resources, fetching, job.name, job.data, job_id=job.id)

    return {(INGEST, PROCESS_RUN): fetch, (POLLING, DISCOVER): find, (POLLING, POLL_REPOSITORY): poll}


def processor_of(job: Job, known: Processors) -> Processor:
    """What does this job.

    Raises:
        InvalidJobError: Nothing does.
    """
    if found := known.get((job.queue, job.name)):
        return found
    names = sorted(name for queue, name in known if queue == job.queue)
    raise InvalidJobError(f"{job.queue} has no job named {job.name!r}; it has {', '.join(names) or 'none'}")


async def begin(resources: Resources, job: Job) -> None:
    """Count a job that is taken over from a worker that died, before it can end this worker too.

    Raises:
        PoisonousJobError: Too many died with it.
    """
    if not job.stalled:
        return
    async with resources.database.transaction() as connection:
        deliveries = await count_delivery(connection, job.id)  # outlives Redis, which `stalled` does not
    if max(deliveries, job.stalled) > MAX_DELIVERIES:
        raise PoisonousJobError(
            f"{MAX_DELIVERIES} workers began with it and did not finish it: it probably ends them (memory?)"
        )


async def give_up(resources: Resources, job: Job, cause: Cause) -> None:
    """Nobody tries again until a person says so: a dead letter keeps the cause, upload or run are failed."""
    async with resources.database.transaction() as connection:
        await bury(
            connection, job.queue, job.id, cause, name=job.name, data=job.data, added_ms=job.added_ms,
            now=resources.now(),
        )  # fmt: skip
        if ingestion_id := _ingestion_id_or_none(job):
            await connection.execute(_SQL["mark_failed"], ingestion_id, cause.error)
        if job.name == PROCESS_RUN:
            await give_run_up(connection, job.name, job.data)


def _ingestion_id_or_none(job: Job) -> UUID | None:
    try:
        return UUID(str(job.data.get("ingestionId")))
    except ValueError:
        return None

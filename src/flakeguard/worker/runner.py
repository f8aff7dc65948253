"""The worker: takes jobs off BullMQ, relays what is owed, and runs what is done by the clock."""

import asyncio
import random
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import structlog

from flakeguard.analysis.settings import analysis_config
from flakeguard.reports.archives import ArchiveLimits
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.bull import UnrecoverableError, Worker
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.outbox import Relay
from flakeguard.worker.processors import Job, Processor, begin, give_up, processors
from flakeguard.worker.publishing import Publisher
from flakeguard.worker.queues import PREFIX, STALLED_JOB_TIMEOUT_MS, bullmq_name
from flakeguard.worker.retry_policy import delay_ms
from flakeguard.worker.schedules import scheduled_functions
from fluxbase.errors import InvalidRequestError
from fluxbase.jobs import running_jobs
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

_CLOSE_SECONDS = 25
_AGAIN_SECONDS = 2.0

type Duty = Callable[[], Awaitable[None]]


@asynccontextmanager
async def running_worker(
    resources: Resources, settings: FlakeGuardSettings, metrics: WorkerMetrics
) -> AsyncGenerator[None]:
    """Work for as long as the block lasts; leaving it finishes the jobs under way (or hands them back)."""
    config = analysis_config(settings)
    # A member of an archive may be as large as a file that comes alone, and all of them as large as an upload of such.
    limits = ArchiveLimits(
        file_bytes=settings.max_file_bytes, total_bytes=settings.max_file_bytes * settings.max_upload_files
    )
    workers = [
        _worker(resources, settings, queue, processor, metrics)
        for queue, processor in processors(resources, config, limits).items()
    ]
    relay = Relay(resources, Publisher(resources.redis))
    duties: dict[str, Duty] = {worker.name: partial(_run, worker) for worker in workers}
    duties["relay"] = relay.run
    tasks = [asyncio.create_task(_for_ever(name, duty)) for name, duty in duties.items()]
    logger.info("worker started", worker=settings.worker_name, concurrency=settings.worker_concurrency)
    by_the_clock = AsyncExitStack()
    try:
        await by_the_clock.enter_async_context(
            running_jobs(
                resources, settings, scheduled_functions(settings), metrics=metrics.jobs, name=settings.worker_name
            )
        )
        yield
    finally:
        await asyncio.gather(by_the_clock.aclose(), *(_close(worker) for worker in workers))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        logger.info("worker stopped", worker=settings.worker_name)


def _worker(
    resources: Resources, settings: FlakeGuardSettings, queue: str, processor: Processor, metrics: WorkerMetrics
) -> Any:
    async def process(bull_job: Any, _token: str) -> dict[str, Any]:
        return await _process(resources, queue, processor, metrics, bull_job)

    worker = Worker(
        bullmq_name(queue),
        process,
        {
            "connection": resources.redis,
            "prefix": PREFIX,
            "name": settings.worker_name,
            "concurrency": settings.worker_concurrency,
            "stalledInterval": STALLED_JOB_TIMEOUT_MS,
            "autorun": False,
            # BullMQ for Python ignores `jitter`, so the strategy brings its own.
            "settings": {"backoffStrategy": _backoff_ms},
        },
    )
    worker.on("error", partial(_tell_error, queue))  # BullMQ keeps its own troubles to itself unless somebody listens
    return worker


def _tell_error(queue: str, error: object, *_job: Any) -> None:
    logger.error("queue error", queue=queue, error=str(error))


def _backoff_ms(tries: int, *_job: Any) -> int:
    return delay_ms(tries, random.random)


async def _for_ever(name: str, duty: Duty) -> None:
    """Keep up what a worker is there for: a server that is away for a moment must not end it for good, unnoticed."""
    while True:
        try:
            await duty()
        except Exception as error:
            logger.exception("worker duty failed", duty=name, error=type(error).__name__)
        else:
            return  # closed on purpose
        await asyncio.sleep(_AGAIN_SECONDS)


async def _run(worker: Any) -> None:
    # Without knowing the version, BullMQ for Python rounds its waiting up to whole seconds.
    await worker.backend.blocking_connection.getRedisVersion()
    await worker.run()
    if not worker.closing:
        raise RuntimeError("BullMQ's loop ended by itself; what it printed says why")


async def _close(worker: Any) -> None:
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await worker.close()
    except TimeoutError:
        await worker.close(force=True)  # what is under way is rolled back, and taken over as stalled


async def _process(
    resources: Resources, queue: str, processor: Processor, metrics: WorkerMetrics, bull_job: Any
) -> dict[str, Any]:
    allowed = int(bull_job.opts.get("attempts") or 1)
    job = Job(str(bull_job.id), queue, bull_job.name, bull_job.data, bull_job.attemptsMade + 1 >= allowed)
    log = logger.bind(job_id=job.id, queue=queue, correlation_id=job.data.get("correlationId"))
    with (
        metrics.job(queue) as outcome,
        structlog.contextvars.bound_contextvars(job_id=job.id, correlation_id=job.data.get("correlationId")),
    ):
        started = time.perf_counter()
        try:
            await begin(resources, job)
            result = await processor(job)
        except Exception as error:
            final = job.last_try or isinstance(error, InvalidRequestError)
            outcome.failed(type(error).__name__, final=final)
            log.exception("job failed", final=final, tries=bull_job.attemptsMade + 1)
            if not final:
                raise
            await give_up(resources, job, "".join(traceback.format_exception_only(error)).strip())
            raise UnrecoverableError(str(error)) from error
        log.info("job completed", seconds=round(time.perf_counter() - started, 3))
        return result

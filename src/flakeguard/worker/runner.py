"""The worker: takes jobs off BullMQ, relays what is owed, and runs what is done by the clock."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import structlog

from flakeguard.analysis.settings import analysis_config
from flakeguard.github.api import GitHub
from flakeguard.github.jobs import Fetching
from flakeguard.github.publishing.processing import Publishing
from flakeguard.github.publishing.settings import manner_of
from flakeguard.github.webhooks.working import App
from flakeguard.reports.archives import ArchiveLimits
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.bull import DelayedError, WaitingChildrenError, Worker
from flakeguard.worker.failing import backoff_ms, fail
from flakeguard.worker.leaving import Leaving
from flakeguard.worker.logged import log_fields
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.operating.history import sample_for_ever
from flakeguard.worker.outbox import Relay
from flakeguard.worker.precedence import take_turn
from flakeguard.worker.processors import Job, Processors, begin, processor_of, processors
from flakeguard.worker.publishing import BACKOFF, Kept, Publisher
from flakeguard.worker.queues import (
    MAX_DELIVERIES,
    PREFIX,
    QUEUES,
    STALLED_CHECK_MS,
    STALLED_JOB_TIMEOUT_MS,
    bullmq_name,
    public_name,
)
from flakeguard.worker.retry_policy import MAX_RETRY_ATTEMPTS
from flakeguard.worker.schedules import scheduled_functions
from flakeguard.worker.urgent import UrgentWorker
from fluxbase.jobs import running_jobs
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

_HAND_BACK_SECONDS = 5
_AGAIN_SECONDS = 2.0
_SAY_AGAIN_SECONDS = 10.0

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
    github = GitHub.of(settings, metrics.github, resources)
    known = processors(
        resources, config, limits, metrics.analysis, App.of(settings), github,
        fetching=Fetching.by(settings, limits, github),
        publishing=github and Publishing(github.poster_for, manner_of(settings)),
    )  # fmt: skip
    leaving = Leaving()
    workers = [queue_worker(resources, settings, queue, known, metrics, leaving) for queue in QUEUES]
    if slots := settings.high_priority_concurrency:
        workers += [_urgent_worker(worker, slots) for worker in workers]
    relay = Relay(resources, Publisher(resources.redis, Kept.by(settings)))
    duties: list[tuple[str, Duty]] = [(worker.name, partial(_run, worker)) for worker in workers]
    duties += [("relay", relay.run), ("history", partial(sample_for_ever, resources, metrics.throughput))]
    tasks = [asyncio.create_task(_for_ever(name, duty)) for name, duty in duties]
    logger.info("worker started", worker=settings.worker_name, concurrency=settings.worker_concurrency)
    by_the_clock = AsyncExitStack()
    try:
        await by_the_clock.enter_async_context(
            running_jobs(
                resources,
                settings,
                scheduled_functions(settings, github),
                metrics=metrics.jobs,
                name=settings.worker_name,
            )
        )
        yield
    finally:
        limit = asyncio.get_running_loop().call_later(settings.worker_shutdown_seconds, leaving.out_of_time)
        patience = settings.worker_shutdown_seconds + _HAND_BACK_SECONDS
        await asyncio.gather(by_the_clock.aclose(), *(_close(worker, patience) for worker in workers))
        limit.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if github is not None:
            await github.aclose()
        logger.info("worker stopped", worker=settings.worker_name)


def queue_worker(
    resources: Resources,
    settings: FlakeGuardSettings,
    queue: str,
    known: Processors,
    metrics: WorkerMetrics,
    leaving: Leaving,
) -> Any:
    """BullMQ's worker of one queue, not running yet: its jobs go through `known`, are counted, logged and judged."""

    async def process(bull_job: Any, token: str) -> Mapping[str, Any]:
        return await leaving.within(bull_job, token, _process(resources, _job(queue, bull_job, token), known, metrics))

    worker = Worker(
        bullmq_name(queue),
        process,
        {
            "connection": resources.redis,
            "prefix": PREFIX,
            "name": settings.worker_name,
            "concurrency": settings.worker_concurrency,
            "lockDuration": STALLED_JOB_TIMEOUT_MS,
            "stalledInterval": STALLED_CHECK_MS,
            "maxStalledCount": MAX_DELIVERIES + 1,  # before BullMQ fails it without a word to us, we bury it
            **Kept.by(settings).options(),  # for jobs that others added
            "autorun": False,
            # BullMQ for Python ignores `jitter`, so the strategy brings its own.
            "settings": {"backoffStrategy": backoff_ms},
        },
    )
    worker.on("error", _teller(queue))  # BullMQ keeps its own troubles to itself unless somebody listens
    return worker


def _urgent_worker(worker: Any, slots: int) -> Any:
    urgent = UrgentWorker(worker, slots)
    urgent.on("error", _teller(public_name(worker.name) or worker.name))
    return urgent


def _teller(queue: str) -> Callable[..., None]:
    """Tells the log of BullMQ's troubles: it has the same one ten times a second for each of its slots."""
    told: dict[str, float] = {}

    def tell(error: object, *_job: Any) -> None:
        what, now = str(error), time.monotonic()
        if now - told.get(what, -_SAY_AGAIN_SECONDS) < _SAY_AGAIN_SECONDS:
            return
        for old in [old for old, said in told.items() if now - said >= _SAY_AGAIN_SECONDS]:
            del told[old]
        told[what] = now
        logger.error("queue error", queue=queue, error=what)

    return tell


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


async def _close(worker: Any, patience_seconds: float) -> None:
    # BullMQ's close ignores that it is cancelled, so no time-out around it would ever end.
    closing = asyncio.create_task(worker.close())
    await asyncio.wait((closing,), timeout=patience_seconds)
    if not closing.done():
        await worker.close(force=True)  # Redis is away, or a job ignores that it is cancelled: taken over as stalled
    await closing


def _job(queue: str, bull_job: Any, token: str) -> Job:
    """BullMQ's job as ours. What others added without saying how often to try it is tried by our table."""
    told: object = bull_job.opts.get("attempts")  # JSON of others: anything
    allowed = (int(told) if isinstance(told, int | float) else 0) or 1 + MAX_RETRY_ATTEMPTS
    bull_job.opts |= {"attempts": allowed, "backoff": {"type": BACKOFF}}
    tries = bull_job.attemptsMade + 1
    data: Mapping[str, Any] = bull_job.data if hasattr(bull_job.data, "get") else {}  # JSON of others: anything
    return Job(
        str(bull_job.id), queue, bull_job.name, data, tries >= allowed, tries,
        bull_job.stalledCounter, bull_job.timestamp, bull_job, token,
    )  # fmt: skip


async def _process(resources: Resources, job: Job, known: Processors, metrics: WorkerMetrics) -> Mapping[str, Any]:
    with metrics.job(job.queue) as outcome, structlog.contextvars.bound_contextvars(**log_fields(job)):
        started = time.perf_counter()
        try:
            await take_turn(job.bull, job.token)
            await begin(resources, job)
            result = await processor_of(job, known)(job)
        except (DelayedError, WaitingChildrenError):
            outcome.status = "delayed"
            raise  # the processor has moved it itself
        except Exception as error:  # noqa: BLE001 -- the policy decides
            await fail(resources, job, error, outcome)
        logger.info("job completed", queue=job.queue, seconds=round(time.perf_counter() - started, 3))
        return result

"""Jobs that do nothing: what queue, locks, metrics and logs cost by themselves."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry

from flakeguard.loadtest.model import Load, Measured
from flakeguard.loadtest.running import Tell
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.bull import BareWorker, Queue
from flakeguard.worker.leaving import Leaving
from flakeguard.worker.memory import memory_bytes
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.processors import Job
from flakeguard.worker.queues import INGEST, PREFIX, bullmq_name
from flakeguard.worker.runner import queue_worker
from fluxbase.resources import Addresses, Resources, open_resources
from fluxbase.settings.reading import read_settings

_NAME = "noop"
_BATCH = 500


async def noop_jobs(load: Load, addresses: Addresses, tell: Tell, *, bare: bool = False) -> Measured:
    """Through the worker's own way of taking jobs, or through bare BullMQ, to compare with."""
    async with open_resources(addresses, application_name="flakeguard-loadtest") as resources:
        queue = Queue(bullmq_name(INGEST), {"connection": resources.redis, "prefix": PREFIX})
        for first in range(0, load.jobs, _BATCH):
            count = min(_BATCH, load.jobs - first)
            await queue.addBulk([{"name": _NAME, "data": {}, "opts": {"removeOnComplete": True}}] * count)
        return await _run(load, resources, tell, bare=bare)


async def _run(load: Load, resources: Resources, tell: Tell, *, bare: bool) -> Measured:
    done, ends = asyncio.Event(), list[float]()

    async def ended() -> None:
        ends.append(time.perf_counter())
        if len(ends) == load.jobs:
            done.set()

    worker = (_bare if bare else _ours)(load, resources, ended)
    await worker.backend.blocking_connection.getRedisVersion()
    started = time.perf_counter()
    working = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(60 + load.jobs / 10):
            while not done.is_set():
                tell(len(ends))
                await asyncio.wait((asyncio.ensure_future(done.wait()),), timeout=0.2)
    finally:
        await worker.close()
        await working
    seconds = ends[-1] - started
    return Measured(load.jobs, len(ends), 0, seconds, [end - started for end in ends], memory_bytes()["peak"])


def _ours(load: Load, resources: Resources, ended: Callable[[], Awaitable[None]]) -> Any:
    async def processor(_job: Job) -> Mapping[str, Any]:
        await ended()
        return {}

    settings = read_settings(FlakeGuardSettings, worker_concurrency=load.concurrency)
    metrics = WorkerMetrics(CollectorRegistry())
    return queue_worker(resources, settings, INGEST, {(INGEST, _NAME): processor}, metrics, Leaving())


def _bare(load: Load, resources: Resources, ended: Callable[[], Awaitable[None]]) -> Any:
    async def process(_job: Any, _token: str) -> dict[str, Any]:
        await ended()
        return {}

    options = {"connection": resources.redis, "prefix": PREFIX, "concurrency": load.concurrency, "autorun": False}
    return BareWorker(bullmq_name(INGEST), process, options)

"""A worker that is told to stop: what ends within the limit is finished, the rest is handed back and nobody's fault."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.bull import Queue
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.queues import INGEST, PREFIX, bullmq_name
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Addresses, Resources, open_resources

from ...fluxbase.failure.own_servers import own_home, own_valkey


class LongJob:
    """A job that takes as long as it is told, and says whether it was finished or undone."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began, self.ended = asyncio.Event(), ""

    async def __call__(self, _job: object) -> dict[str, Any]:
        self.began.set()
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.ended = "undone"
            raise
        self.ended = "finished"
        return {}


@pytest.mark.parametrize(
    ("seconds", "ended", "state"), [(0.5, "finished", "completed"), (60, "undone", ("waiting", "delayed"))]
)
async def test_what_is_under_way_is_finished_or_handed_back(
    resources: Resources,
    settings: FlakeGuardSettings,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    ended: str,
    state: object,
) -> None:
    job = LongJob(seconds)
    known: Mapping[object, Any] = processors_with(job)
    monkeypatch.setattr(runner, "processors", lambda *_, **_named: known)
    queue = Queue(bullmq_name(INGEST), {"connection": resources.redis, "prefix": PREFIX})
    await queue.add("process-upload", {}, {"jobId": "long"})
    loop = asyncio.get_running_loop()
    settings = settings.model_copy(update={"worker_shutdown_seconds": 1})
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        async with asyncio.timeout(10):
            await job.began.wait()
        told = loop.time()
    assert loop.time() - told < 4
    assert job.ended == ended
    assert await queue.getJobState("long") in state
    held = await queue.getJob("long")
    assert held.attemptsMade == (1 if ended == "finished" else 0), "to be handed back costs no try"


async def test_who_comes_after_does_what_was_handed_back(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(bullmq_name(INGEST), {"connection": resources.redis, "prefix": PREFIX})
    await queue.add("process-upload", {}, {"jobId": "long"})
    settings = settings.model_copy(update={"worker_shutdown_seconds": 1})
    for job in (LongJob(60), LongJob(0)):
        monkeypatch.setattr(runner, "processors", lambda *_, job=job, **_named: processors_with(job))
        async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
            async with asyncio.timeout(5):  # far less than the 30 seconds after which it would count as stalled
                await job.began.wait()
            await asyncio.sleep(0.05)
    assert await queue.getJobState("long") == "completed"


def processors_with(job: LongJob) -> Mapping[object, Any]:
    return {(INGEST, "process-upload"): job}


async def test_it_ends_in_time_though_redis_is_gone(
    addresses: Addresses, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when everything is stopped at once, and the servers were quicker."""
    monkeypatch.setattr(runner, "_HAND_BACK_SECONDS", 0.5)
    settings = settings.model_copy(update={"worker_shutdown_seconds": 1})
    loop = asyncio.get_running_loop()
    with own_home("leaving") as home, own_valkey(home) as valkey:
        async with open_resources(replace(addresses, redis_url=valkey.url), application_name="test") as resources:
            async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
                await asyncio.sleep(0.5)
                await asyncio.to_thread(valkey.stop)
                await asyncio.sleep(0.5)
                told = loop.time()
            assert loop.time() - told < 15

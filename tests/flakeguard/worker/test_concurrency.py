"""How many jobs a worker holds at once, and by what name."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.operating.inspecting import bull_queue
from flakeguard.worker.queues import INGEST, POLLING
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Resources

CONCURRENCY = 2


class HeldUp:
    """Jobs that begin, and end when they are let."""

    def __init__(self) -> None:
        self.begun = asyncio.Semaphore(0)
        self.may_end = asyncio.Event()

    async def __call__(self, _job: object) -> Mapping[str, Any]:
        self.begun.release()
        await self.may_end.wait()
        return {}

    async def begin(self, jobs: int) -> None:
        async with asyncio.timeout(10):
            for _ in range(jobs):
                await self.begun.acquire()


async def test_so_many_of_each_queue_at_once_and_under_its_name(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = HeldUp()
    known = {(INGEST, "process-run"): job, (POLLING, "discover"): job}
    monkeypatch.setattr(runner, "processors", lambda *_, **_named: known)
    ingest, polling = bull_queue(resources.redis, INGEST), bull_queue(resources.redis, POLLING)
    for number in range(CONCURRENCY + 3):
        await ingest.add("process-run", {}, {"jobId": f"run-{number}"})
    await polling.add("discover", {}, {"jobId": "look"})
    told = {
        "worker_concurrency": CONCURRENCY,
        "high_priority_concurrency": 0,
        "worker_name": "machine-7",
        "worker_shutdown_seconds": 1,
    }
    settings = settings.model_copy(update=told)

    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        await job.begin(CONCURRENCY + 1)
        await asyncio.sleep(0.2)
        assert await ingest.getJobCounts("active", "waiting") == {"active": CONCURRENCY, "waiting": 3}
        assert await polling.getJobCounts("active") == {"active": 1}, "a full queue leaves room in the others"
        for queue in (ingest, polling):
            # Connections of a test before this one may still be there: they share the server.
            assert "machine-7" in {client["rawname"].rpartition(":")[2] for client in await queue.get_workers()}
        job.may_end.set()
        await job.begin(3)

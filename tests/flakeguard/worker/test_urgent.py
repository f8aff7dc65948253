"""What is urgent begins though every slot for all jobs is taken, and nothing else does."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.operating.inspecting import bull_queue
from flakeguard.worker.processors import Job
from flakeguard.worker.publishing import Publisher
from flakeguard.worker.queues import INGEST, PREFIX, bullmq_name
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Resources


class HeldUp:
    """Jobs that begin, and end when they are let: the urgent ones apart."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.one_more = asyncio.Event()
        self.may_end, self.urgent_may_end = asyncio.Event(), asyncio.Event()

    async def __call__(self, job: Job) -> Mapping[str, Any]:
        self.begun.append(job.id)
        self.one_more.set()
        await (self.urgent_may_end if "urgent" in job.id else self.may_end).wait()
        return {}

    def let_end(self) -> None:
        self.may_end.set()
        self.urgent_may_end.set()

    async def until(self, *jobs: str) -> None:
        async with asyncio.timeout(20):
            while not set(jobs) <= set(self.begun):
                await self.one_more.wait()
                self.one_more.clear()


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> HeldUp:
    job = HeldUp()
    monkeypatch.setattr(runner, "processors", lambda *_, **_named: {(INGEST, "process-run"): job})
    return job


def one_slot(settings: FlakeGuardSettings, urgent: int) -> FlakeGuardSettings:
    return settings.model_copy(update={"worker_concurrency": 1, "high_priority_concurrency": urgent})


async def publish(resources: Resources, **jobs: str) -> None:
    publisher = Publisher(resources.redis)
    for job, priority in jobs.items():
        await publisher.publish(INGEST, "process-run", {}, job_id=job, priority=priority)


async def test_urgent_jobs_begin_beside_a_full_worker_and_no_others(
    resources: Resources, settings: FlakeGuardSettings, held_up: HeldUp
) -> None:
    async with running_worker(resources, one_slot(settings, 2), WorkerMetrics(CollectorRegistry())):
        await publish(resources, first="normal")
        await held_up.until("first")
        await publish(
            resources, second="normal", third="low", urgent="high", most_urgent="critical", urgent_later="high"
        )
        await held_up.until("urgent", "most_urgent")
        counts = await bull_queue(resources.redis, INGEST).getJobCounts("active", "prioritized", "wait")
        assert held_up.begun == ["first", "most_urgent", "urgent"]
        assert counts == {"active": 3, "prioritized": 3, "wait": 0}
        held_up.let_end()
        await held_up.until("second", "third", "urgent_later")
    assert sorted(held_up.begun) == sorted(("first", "second", "third", "urgent", "most_urgent", "urgent_later"))
    assert await bull_queue(resources.redis, INGEST).getJobCounts("completed", "active") == {
        "completed": 6,
        "active": 0,
    }


async def test_an_urgent_slot_that_is_done_takes_nothing_ordinary(
    resources: Resources, settings: FlakeGuardSettings, held_up: HeldUp
) -> None:
    """BullMQ's answer to the end of a job is the next one; this worker wants another only if that is urgent, too."""
    async with running_worker(resources, one_slot(settings, 1), WorkerMetrics(CollectorRegistry())):
        await publish(resources, first="normal")
        await held_up.until("first")
        await publish(resources, second="normal", urgent="high")
        await held_up.until("urgent")
        held_up.urgent_may_end.set()
        queue = bull_queue(resources.redis, INGEST)
        async with asyncio.timeout(20):
            while await queue.getJobState("urgent") != "completed":  # noqa: ASYNC110 -- the state is in Redis
                await asyncio.sleep(0.05)
        await publish(resources, urgent_too="high")
        await held_up.until("urgent_too")
        assert held_up.begun == ["first", "urgent", "urgent_too"]
        held_up.let_end()
        await held_up.until("second")


async def test_what_was_put_back_and_is_due_begins_too(
    resources: Resources, settings: FlakeGuardSettings, held_up: HeldUp
) -> None:
    """As what others add with its priority in the data alone: a worker that meets it puts it back to its place."""
    async with running_worker(resources, one_slot(settings, 1), WorkerMetrics(CollectorRegistry())):
        await publish(resources, first="normal")
        await held_up.until("first")
        queue = bull_queue(resources.redis, INGEST)
        await queue.add("process-run", {"priority": "normal"}, {"jobId": "theirs"})
        await queue.add("process-run", {"priority": "high"}, {"jobId": "urgent"})
        await held_up.until("urgent")
        assert held_up.begun == ["first", "urgent"]
        held_up.let_end()
        await held_up.until("theirs")


async def test_what_a_dead_worker_had_in_hand_is_as_urgent_as_it_was(
    resources: Resources, settings: FlakeGuardSettings, held_up: HeldUp
) -> None:
    """BullMQ puts it back before all others, in the list of those without a priority."""
    client: Any = resources.redis
    queue = f"{PREFIX}:{bullmq_name(INGEST)}"
    async with running_worker(resources, one_slot(settings, 2), WorkerMetrics(CollectorRegistry())):
        await publish(resources, first="normal")
        await held_up.until("first")
        async with client.pipeline(transaction=True) as step:
            await publish(resources, second="normal", stalled="normal", third="low", also_stalled="low")
            for job in ("stalled", "also_stalled"):
                step.zrem(f"{queue}:prioritized", job)
                step.rpush(f"{queue}:wait", job)
            await step.execute()
        await publish(resources, urgent="high")
        await held_up.until("urgent")
        assert held_up.begun == ["first", "urgent"]
        held_up.let_end()
        await held_up.until("second", "third", "stalled", "also_stalled")
    assert held_up.begun == ["first", "urgent", "stalled", "second", "also_stalled", "third"]


async def test_without_such_slots_it_waits_for_one(
    resources: Resources, settings: FlakeGuardSettings, held_up: HeldUp
) -> None:
    async with running_worker(resources, one_slot(settings, 0), WorkerMetrics(CollectorRegistry())):
        await publish(resources, first="normal")
        await held_up.until("first")
        await publish(resources, second="normal", urgent="critical")
        held_up.let_end()
        await held_up.until("second")
    assert held_up.begun == ["first", "urgent", "second"]

"""Jobs are begun in the order of their priorities, whoever added them."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.bull import Queue
from flakeguard.worker.jobs import PROCESS_RUN
from flakeguard.worker.outbox import Relay, owe
from flakeguard.worker.processors import Job
from flakeguard.worker.publishing import Publisher
from flakeguard.worker.queues import INGEST, PREFIX, bullmq_name
from fluxbase.resources import Resources

from .one_processor import only, worker


@pytest.mark.parametrize("added_by", ["us", "others"])
async def test_priorities_are_served_in_their_order(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch, added_by: str
) -> None:
    """Others may name them in the data alone, as the worker document's example does."""
    order: list[str] = []
    all_done = asyncio.Event()

    async def process(job: Job) -> Mapping[str, Any]:
        order.append(job.id)
        if len(order) == 4:
            all_done.set()
        return {}

    only(monkeypatch, process)
    await (_owe_each if added_by == "us" else _add_each)(resources)
    # Urgent ones would else begin beside the one slot, and the order be that of two.
    one_slot = settings.model_copy(update={"worker_concurrency": 1, "high_priority_concurrency": 0})
    async with worker(resources, one_slot):
        async with asyncio.timeout(20):
            await all_done.wait()
    assert order == ["critical", "high", "normal", "low"]


async def test_trouble_while_a_job_is_put_in_its_place_is_as_any_other(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def away(*_: object) -> None:
        asked.set()
        raise RedisConnectionError("gone for a moment")

    monkeypatch.setattr(runner, "take_turn", away)
    queue = Queue(bullmq_name(INGEST), {"connection": resources.redis, "prefix": PREFIX})
    await queue.add(PROCESS_RUN, {"priority": "low"}, {"jobId": "theirs"})
    async with worker(resources, settings):
        async with asyncio.timeout(20):
            await asked.wait()
    assert await queue.getJobState("theirs") == "delayed", "it waits as the table has it, and BullMQ fails it not"


async def _owe_each(resources: Resources) -> None:
    async with resources.database.transaction() as connection:
        for priority in ("low", "normal", "high", "critical"):
            await owe(
                connection, queue=INGEST, name=PROCESS_RUN, job_id=priority, data={}, correlation_id=None,
                priority=priority,
            )  # fmt: skip
    await Relay(resources, Publisher(resources.redis)).relay_once()


async def _add_each(resources: Resources) -> None:
    queue = Queue(bullmq_name(INGEST), {"connection": resources.redis, "prefix": PREFIX})
    for priority in ("low", "normal", "high", "critical"):
        await queue.add(PROCESS_RUN, {"priority": priority}, {"jobId": priority})

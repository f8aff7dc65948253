"""Node's BullMQ 6 adds jobs that our worker does, and Bull Board shows our queues."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.dead_letters import dead_letters
from flakeguard.worker.jobs import PROCESS_RUN, RunsIngestJobData
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.processors import Job, Processor
from flakeguard.worker.publishing import Publisher
from flakeguard.worker.queues import INGEST, PREFIX, QUEUES, bullmq_name
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Addresses, Resources

from .node import node

EXAMPLE = {
    "workflowRunId": 12345,
    "repository": {"owner": "acme", "repo": "project", "installationId": 67890},
    "priority": "high",
}


def only(monkeypatch: pytest.MonkeyPatch, processor: Processor) -> None:
    """`process-run` is done by `processor` alone."""
    monkeypatch.setattr(runner, "processors", lambda *_, **_named: {(INGEST, PROCESS_RUN): processor})


async def test_a_job_of_nodes_bullmq_is_processed_and_bull_board_shows_it(
    addresses: Addresses, resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: asyncio.Queue[RunsIngestJobData] = asyncio.Queue()

    async def process(job: Job) -> Mapping[str, Any]:
        seen.put_nowait(RunsIngestJobData.of(job.name, job.data))
        return {"testResults": 7}

    only(monkeypatch, process)
    where = {"url": addresses.redis_url, "prefix": PREFIX}
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        added = await node("add.mjs", queue=bullmq_name(INGEST), job=PROCESS_RUN, data=EXAMPLE, options={}, **where)
        async with asyncio.timeout(20):
            data = await seen.get()
    assert (data.workflow_run_id, data.repository.installation_id, data.priority) == (12345, 67890, "high")

    await Publisher(resources.redis).publish(INGEST, PROCESS_RUN, EXAMPLE, job_id="run-1", priority="high")
    names = [bullmq_name(queue) for queue in QUEUES]
    shown = await node("board.mjs", queues=names, job={"queue": "runs-ingest", "id": added["id"]}, **where)
    assert shown["page"]
    assert [queue["name"] for queue in shown["queues"]] == names
    counts = shown["queues"][0]["counts"]
    assert (counts["completed"], counts["prioritized"]) == (1, 1)
    assert shown["job"]["returnValue"] == {"testResults": 7}


async def test_what_others_add_and_cannot_be_done_is_a_dead_letter(
    addresses: Addresses, resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def process(job: Job) -> Mapping[str, Any]:
        return RunsIngestJobData.of(job.name, job.data).to_json()

    only(monkeypatch, process)
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        added = await node(
            "add.mjs", queue=bullmq_name(INGEST), job=PROCESS_RUN, data={"workflowRunId": "12"}, options={},
            url=addresses.redis_url, prefix=PREFIX,
        )  # fmt: skip
        async with asyncio.timeout(20):
            while not (found := await _dead(resources)):  # noqa: ASYNC110 -- the state is in the database
                await asyncio.sleep(0.05)
    (letter,) = found
    assert (letter.foreign_id, letter.tries) == (added["id"], 1)
    assert "data.workflowRunId" in (letter.error or "")
    assert "Traceback" in (letter.stack or "")


async def _dead(resources: Resources):
    async with resources.database.transaction() as connection:
        return await dead_letters(connection, INGEST)

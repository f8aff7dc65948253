"""A line of the log that is written while a job runs has the worker document's fields."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.bull import Queue
from flakeguard.worker.jobs import PROCESS_RUN
from flakeguard.worker.logged import log_fields
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.processors import Job
from flakeguard.worker.queues import INGEST, PREFIX, bullmq_name
from flakeguard.worker.runner import running_worker
from fluxbase.monitoring.logging import render_json
from fluxbase.resources import Resources

DOCUMENTED = ("level", "time", "pid", "hostname", "msg", "jobId", "correlationId", "workflowRunId", "repository",
              "priority")  # fmt: skip
DATA = {
    "workflowRunId": 789,
    "repository": {"owner": "owner", "repo": "repo", "installationId": 1},
    "priority": "normal",
    "correlationId": "corr_456",
}


async def test_the_documents_example(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = asyncio.Event()

    async def process(_job: Job) -> Mapping[str, Any]:
        structlog.get_logger().info("Processing runs ingestion job")
        done.set()
        return {}

    monkeypatch.setattr(runner, "processors", lambda *_, **_named: {(INGEST, PROCESS_RUN): process})
    queue = Queue(bullmq_name(INGEST), {"connection": resources.redis, "prefix": PREFIX})
    stamped = structlog.processors.TimeStamper(fmt="iso", key="time")
    with capture_logs(processors=[structlog.contextvars.merge_contextvars, stamped]) as lines:
        async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
            await queue.add(PROCESS_RUN, DATA, {"jobId": "job_123"})
            async with asyncio.timeout(10):
                await done.wait()
    (line,) = [line for line in lines if line["event"] == "Processing runs ingestion job"]
    told = json.loads(render_json(None, "info", {"level": line.pop("log_level"), **line}))
    assert set(DOCUMENTED) <= set(told)
    assert {
        "level": "info", "msg": "Processing runs ingestion job", "jobId": "job_123", "correlationId": "corr_456",
        "workflowRunId": 789, "repository": "owner/repo", "priority": "normal",
    }.items() <= told.items()  # fmt: skip


@pytest.mark.parametrize("repository", ["owner/repo", None, 7, []])
def test_whatever_others_put_on_a_queue_a_line_comes(repository: object) -> None:
    job = Job("1", INGEST, PROCESS_RUN, {"repository": repository}, last_try=False)
    assert log_fields(job) == {"job_id": "1", "queue": INGEST}

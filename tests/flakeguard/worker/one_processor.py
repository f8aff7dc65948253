"""A worker that has one processor, of a test's own, for `process-run`."""

import pytest
from prometheus_client import CollectorRegistry

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.jobs import PROCESS_RUN
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.processors import Processor
from flakeguard.worker.queues import INGEST
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Resources


def only(monkeypatch: pytest.MonkeyPatch, processor: Processor) -> None:
    monkeypatch.setattr(runner, "processors", lambda *_, **_named: {(INGEST, PROCESS_RUN): processor})


def worker(resources: Resources, settings: FlakeGuardSettings):
    return running_worker(resources, settings, WorkerMetrics(CollectorRegistry()))

"""What the worker declares is what the document names, and what it counts is so."""

import asyncio
from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry

from flakeguard.worker.metrics import Throughput, WorkerMetrics

DOCUMENTS = {
    "jobs_processed_total", "job_processing_duration_seconds", "jobs_in_progress", "job_retries_total",
    "queue_size", "queue_throughput", "dlq_size",
    "memory_usage_bytes", "cpu_usage_percent", "health",
    "github_api_calls_total", "github_api_duration_seconds", "github_rate_limit_remaining",
    "tests_analyzed_total", "flaky_tests_detected_total", "flakiness_score",
}  # fmt: skip


def values(metrics: WorkerMetrics) -> dict[str, float]:
    """The sum of each family's samples but for times of creation."""
    found: dict[str, float] = {}
    for registry in (metrics.registry, metrics.queues.registry):
        for family in registry.collect():
            name = f"{family.name}_total" if family.type == "counter" else family.name
            samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            found[name] = sum(sample.value for sample in samples)
    return {name.removeprefix("flakeguard_worker_"): value for name, value in found.items() if "fluxbase" not in name}


def test_every_metric_of_the_document_is_declared_and_no_other() -> None:
    """That they move is shown by real work, in tests/flakeguard/github/test_metrics_move.py."""
    assert set(values(WorkerMetrics(CollectorRegistry()))) == DOCUMENTS


def test_memory_and_processor_are_those_of_this_process() -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    assert values(metrics)["memory_usage_bytes"] > 10_000_000
    sum(number * number for number in range(300_000))
    assert values(metrics)["cpu_usage_percent"] > 0


@pytest.mark.parametrize(
    ("error", "status", "ended"),
    [(None, "completed", 1), (asyncio.CancelledError(), "interrupted", 0)],
    ids=["to its end", "the worker stops"],
)
def test_only_what_came_to_its_end_is_completed(error: BaseException | None, status: str, ended: int) -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    with suppress(asyncio.CancelledError), metrics.job("polling"):
        if error is not None:
            raise error
    assert metrics.registry.get_sample_value(
        "flakeguard_worker_jobs_processed_total", {"queue": "polling", "status": status}
    ) == 1  # fmt: skip
    assert metrics.throughput.ended == ended


def test_throughput_comes_down_when_a_queue_rests() -> None:
    now = 1000.0
    throughput = Throughput(lambda: now)
    now = 1100.0
    for _ in range(120):
        throughput.count("polling")
    assert throughput.per_second("polling") == pytest.approx(2.0)
    now = 1161.0
    assert throughput.per_second("polling") == 0

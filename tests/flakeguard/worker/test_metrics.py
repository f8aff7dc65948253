"""Every metric that the worker declares is one that moves."""

import pytest
from prometheus_client import CollectorRegistry

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import Throughput, WorkerMetrics
from flakeguard.worker.operating import serving
from fluxbase.resources import Resources

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


async def test_every_metric_of_the_document_is_declared_and_moves(
    resources: Resources, settings: FlakeGuardSettings
) -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    before = values(metrics)
    assert set(before) == DOCUMENTS
    with metrics.job("runs:ingest") as outcome:
        under_way = values(metrics)["jobs_in_progress"]
        outcome.failed("GitHubAwayError", final=False)
    metrics.github.called("GET /repos/{owner}/{repo}/actions/runs", 200, 0.1)
    metrics.github.remaining(7, 4999)
    metrics.analysis.judged([0.0, 0.5], newly_flaky=1)
    metrics.queues.sized("runs:ingest", "waiting", 3)
    metrics.queues.dead_letters("runs:ingest", 1)
    metrics.health.set(1)
    after = values(metrics)
    still = {name for name in DOCUMENTS - {"jobs_in_progress", "cpu_usage_percent"} if after[name] == before[name]}
    assert still - {"memory_usage_bytes"} == set()
    assert under_way == 1
    assert after["memory_usage_bytes"] > 10_000_000
    sum(number * number for number in range(300_000))
    assert values(metrics)["cpu_usage_percent"] > 0
    assert serving.create_worker_app(settings, resources, metrics, None)


def test_throughput_comes_down_when_a_queue_rests() -> None:
    now = 1000.0
    throughput = Throughput(lambda: now)
    now = 1100.0
    for _ in range(120):
        throughput.count("polling")
    assert throughput.per_second("polling") == pytest.approx(2.0)
    now = 1161.0
    assert throughput.per_second("polling") == 0

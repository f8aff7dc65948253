"""The worker's metrics, under the names of the worker document; its others come with the rooms that move them."""

import time
from collections.abc import Generator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from fluxbase.monitoring.job_metrics import JobMetrics

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class JobOutcome:
    """How one job ends; completed unless told otherwise."""

    def __init__(self, retries: Counter, queue: str) -> None:
        self.status = "completed"
        self._retries = retries
        self._queue = queue

    def failed(self, error: str, *, final: bool) -> None:
        """Say that it failed, and whether it will be tried again."""
        self.status = "failed" if final else "retried"
        if not final:
            self._retries.labels(self._queue, error).inc()


class WorkerMetrics:
    """Counters of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.jobs = JobMetrics(registry)
        self.processed = Counter(
            "flakeguard_worker_jobs_processed_total", "Jobs processed by status", ["queue", "status"], registry=registry
        )
        self.duration = Histogram(
            "flakeguard_worker_job_processing_duration_seconds", "Job processing time", ["queue"], registry=registry,
            buckets=_SECONDS,
        )  # fmt: skip
        self.in_progress = Gauge(
            "flakeguard_worker_jobs_in_progress", "Jobs being processed", ["queue"], registry=registry
        )
        self.retries = Counter(
            "flakeguard_worker_job_retries_total", "Retries by error", ["queue", "error"], registry=registry
        )

    @contextmanager
    def job(self, queue: str) -> Generator[JobOutcome]:
        """Count and time one job."""
        outcome = JobOutcome(self.retries, queue)
        started = time.perf_counter()
        with self.in_progress.labels(queue).track_inprogress():
            try:
                yield outcome
            finally:
                self.duration.labels(queue).observe(time.perf_counter() - started)
                self.processed.labels(queue, outcome.status).inc()

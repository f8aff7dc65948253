"""The metrics of jobs, in whichever registry the process serves."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)


class JobMetrics:
    """Counters are this process's own; the gauges are the installation's, read from PostgreSQL every few seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.pending = Gauge("fluxbase_jobs_pending", "Jobs that wait, those for later too.", registry=registry)
        self.processing = Gauge("fluxbase_jobs_processing", "Jobs that run now.", registry=registry)
        self.workers = Gauge("fluxbase_job_workers_active", "Workers whose heart beats.", registry=registry)
        self.completed = Counter("fluxbase_jobs_completed", "Jobs that completed.", ("function",), registry=registry)
        self.failed = Counter("fluxbase_jobs_failed", "Jobs that failed for good.", ("function",), registry=registry)
        self.duration = Histogram(
            "fluxbase_job_execution_duration_seconds", "Attempts, however they ended.", ("function",),
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip

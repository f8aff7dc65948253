"""The worker's metrics, under the names of the worker document. All are declared here; who moves them calls a method.

`WorkerMetrics(registry)` holds what one process did. What is true of the installation (how much waits, how many dead
letters, whether its servers answer) is in `metrics.queues`, a registry apart, so that several processes behind one port
do not each report it.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from flakeguard.worker.memory import memory_bytes
from fluxbase.monitoring.job_metrics import JobMetrics

_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SCORES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_THROUGHPUT_SECONDS = 60


_ENDS = ("completed", "failed")


class JobOutcome:
    """How one job ends; completed unless told otherwise, or `interrupted` when it does not come to an end."""

    def __init__(self, retries: Counter, queue: str) -> None:
        self.status = "completed"
        self._retries = retries
        self._queue = queue

    def failed(self, error: str, *, final: bool) -> None:
        """Say that it failed, and whether it will be tried again."""
        self.status = "failed" if final else "retried"
        if not final:
            self._retries.labels(self._queue, error).inc()


class GitHubMetrics:
    """What the GitHub client did, and what GitHub still allows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "flakeguard_worker_github_api_calls_total", "Calls of GitHub's API", ["endpoint", "status"],
            registry=registry,
        )  # fmt: skip
        self._duration = Histogram(
            "flakeguard_worker_github_api_duration_seconds", "Until GitHub's answer", ["endpoint"], registry=registry,
            buckets=_SECONDS,
        )  # fmt: skip
        self._remaining = Gauge(
            "flakeguard_worker_github_rate_limit_remaining", "Calls left in this hour", ["installation"],
            registry=registry,
        )  # fmt: skip

    def called(self, endpoint: str, status: int | str, seconds: float) -> None:
        """Count a call: `endpoint` is a template such as `GET /repos/{owner}/{repo}/actions/runs`, never an address.

        `status` is HTTP's, or a word (`timeout`, `network`) where there was no answer.
        """
        self._calls.labels(endpoint, str(status)).inc()
        self._duration.labels(endpoint).observe(seconds)

    def remaining(self, installation_id: int | str, calls: int) -> None:
        """Say what GitHub's `X-RateLimit-Remaining` said; the app's own budget goes by the name `app`."""
        self._remaining.labels(str(installation_id)).set(calls)


class AnalysisMetrics:
    """What analyses found."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._analyzed = Counter(
            "flakeguard_worker_tests_analyzed_total", "Tests analyzed for flakiness", registry=registry
        )
        self._flaky = Counter(
            "flakeguard_worker_flaky_tests_detected_total", "Tests whose verdict turned to flaky", registry=registry
        )
        self._score = Histogram(
            "flakeguard_worker_flakiness_score", "Scores of the tests analyzed, 0 to 1", registry=registry,
            buckets=_SCORES,
        )  # fmt: skip

    def judged(self, scores: Iterable[float], *, newly_flaky: int) -> None:
        """Count the tests of one analysis by their scores, and those that it found flaky and the one before did not."""
        for score in scores:
            self._analyzed.inc()
            self._score.observe(score)
        self._flaky.inc(newly_flaky)


class QueueMetrics:
    """The installation's queues, as they are when somebody asks; in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._size = Gauge(
            "flakeguard_worker_queue_size", "Jobs in the queue by status", ["queue", "status"], registry=self.registry
        )
        self._dead = Gauge(
            "flakeguard_worker_dlq_size", "Dead letters that wait for a person", ["queue"], registry=self.registry
        )

    def sized(self, queue: str, status: str, jobs: int) -> None:
        """Say how many jobs of a queue have a status (waiting, active, completed, failed …)."""
        self._size.labels(queue, status).set(jobs)

    def unknown(self) -> None:
        """Servers are away: a number that is old would be worse than none."""
        self._size.clear()
        self._dead.clear()

    def dead_letters(self, queue: str, jobs: int) -> None:
        """Say how many dead letters a queue has."""
        self._dead.labels(queue).set(jobs)


class WorkerMetrics:
    """What one process did."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.jobs = JobMetrics(registry)
        self.github = GitHubMetrics(registry)
        self.analysis = AnalysisMetrics(registry)
        self.queues = QueueMetrics()
        self.throughput = Throughput(time.monotonic)
        registry.register(self.throughput)
        registry.register(_Usage())
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
        # Said by whoever is asked: a process that nobody asked has not looked, and its 0 would ring an alarm.
        self.health = Gauge(
            "flakeguard_worker_health", "1 when every check is well, 0 when not", registry=self.queues.registry
        )

    @contextmanager
    def job(self, queue: str) -> Generator[JobOutcome]:
        """Count and time one job."""
        outcome = JobOutcome(self.retries, queue)
        started = time.perf_counter()
        with self.in_progress.labels(queue).track_inprogress():
            try:
                yield outcome
            except BaseException:
                if outcome.status == "completed":
                    outcome.status = "interrupted"
                raise
            finally:
                self.duration.labels(queue).observe(time.perf_counter() - started)
                self.processed.labels(queue, outcome.status).inc()
                if outcome.status in _ENDS:
                    self.throughput.count(queue)


class Throughput(Collector):
    """Jobs a second of each queue over the last minute; a queue that rests comes down to 0 within that."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._by_second: dict[str, dict[int, int]] = {}
        self.ended = 0  # jobs of all queues that nobody has noted yet

    def count(self, queue: str) -> None:
        """One job of the queue has ended."""
        second = int(self._clock())
        counts = self._by_second.setdefault(queue, {})
        counts[second] = counts.get(second, 0) + 1
        self.ended += 1
        if len(counts) > 2 * _THROUGHPUT_SECONDS:
            self._forget(counts, second)

    def per_second(self, queue: str) -> float:
        """Jobs a second over the last minute, or since the start when that is less long ago."""
        now = self._clock()
        counts = self._by_second.get(queue, {})
        self._forget(counts, int(now))
        return sum(counts.values()) / min(_THROUGHPUT_SECONDS, max(now - self._started, 1.0))

    @staticmethod
    def _forget(counts: dict[int, int], now: int) -> None:
        for second in [second for second in counts if second <= now - _THROUGHPUT_SECONDS]:
            del counts[second]

    def collect(self) -> Iterator[Metric]:
        """The gauge, for Prometheus."""
        family = GaugeMetricFamily(
            "flakeguard_worker_queue_throughput", "Jobs ended a second, over the last minute", labels=["queue"]
        )
        for queue in list(self._by_second):
            family.add_metric([queue], self.per_second(queue))
        yield family


class _Usage(Collector):
    """Memory and processor time of this process, read when somebody asks."""

    def __init__(self) -> None:
        self._asked = time.monotonic()
        self._used = time.process_time()

    def collect(self) -> Iterator[Metric]:
        memory = GaugeMetricFamily("flakeguard_worker_memory_usage_bytes", "Memory of the process", labels=["type"])
        for kind, size in memory_bytes().items():
            memory.add_metric([kind], size)
        yield memory
        yield GaugeMetricFamily(
            "flakeguard_worker_cpu_usage_percent",
            "Of one core, since it was last asked (100 is one core)",
            value=self._percent(),
        )

    def _percent(self) -> float:
        now, used = time.monotonic(), time.process_time()
        elapsed, spent = max(now - self._asked, 1e-3), used - self._used
        self._asked, self._used = now, used
        return round(100 * spent / elapsed, 1)

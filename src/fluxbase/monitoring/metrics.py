"""The metrics of one application, in a registry of its own: two applications in a process never mix their numbers."""

import time
from collections.abc import Iterator
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fluxbase.monitoring.job_metrics import JobMetrics

_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

_QUERY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class _Pool(Protocol):
    def get_size(self) -> int: ...
    def get_idle_size(self) -> int: ...
    def get_max_size(self) -> int: ...


class Metrics:
    """What Fluxbase counts of itself. A metric that is declared here is one that moves; a test holds it to that."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._started = time.monotonic()
        self._declare_http()
        self._declare_auth()
        self.jobs = JobMetrics(self.registry)
        self._declare_realtime()
        self._declare_database()
        self._declare_storage()
        uptime = Gauge("fluxbase_system_uptime_seconds", "Since this process started.", registry=self.registry)
        uptime.set_function(lambda: self.uptime_seconds)

    @property
    def uptime_seconds(self) -> float:
        """Since this process started."""
        return time.monotonic() - self._started

    def _declare_http(self) -> None:
        labels = ("method", "path", "status")
        self.http_requests = Counter(
            "fluxbase_http_requests", "Requests answered, by route.", labels, registry=self.registry
        )
        self.http_duration = Histogram(
            "fluxbase_http_request_duration_seconds",
            "Until the last byte of the answer, by route.",
            labels[:2],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._of_route: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.in_flight = 0  # a number of ours costs a request less than a gauge that is set
        in_flight = Gauge("fluxbase_http_requests_in_flight", "Requests being answered now.", registry=self.registry)
        in_flight.set_function(lambda: self.in_flight)

    def count_request(self, method: str, path: str, status: int, seconds: float) -> None:
        """Count a request that is over; `path` is its route's template."""
        series = self._of_route.get((method, path, status))
        if series is None:  # labels() is slow, and there are few combinations
            series = self.http_requests.labels(method, path, status), self.http_duration.labels(method, path)
            self._of_route[method, path, status] = series
        series[0].inc()
        series[1].observe(seconds)

    def _declare_auth(self) -> None:
        self.auth_attempts = Counter(
            "fluxbase_auth_attempts", "Attempts to sign in or up.", ("method",), registry=self.registry
        )
        self.auth_success = Counter(
            "fluxbase_auth_success", "Of these, those that succeeded.", ("method",), registry=self.registry
        )
        self.auth_failure = Counter(
            "fluxbase_auth_failure", "Of these, those that failed.", ("method", "reason"), registry=self.registry
        )
        self.rate_limit_hits = Counter(
            "fluxbase_rate_limit_hits", "Requests refused with 429.", ("limit",), registry=self.registry
        )

    def _declare_realtime(self) -> None:
        names = ("fluxbase_realtime_connections", "fluxbase_realtime_channels", "fluxbase_realtime_subscriptions")
        self.realtime_connections = Gauge(names[0], "Open sockets.", registry=self.registry)
        self.realtime_channels = Gauge(names[1], "Channels with a member.", registry=self.registry)
        self.realtime_subscriptions = Gauge(names[2], "Subscriptions to tables.", registry=self.registry)
        self.realtime_messages = Counter(
            "fluxbase_realtime_messages", "Messages written to sockets.", registry=self.registry
        )
        self.realtime_slow_clients = Counter(
            "fluxbase_realtime_slow_clients", "Sockets dropped because they did not read.", registry=self.registry
        )

    def _declare_database(self) -> None:
        self.db_queries = Counter(
            "fluxbase_db_queries", "Statements run, by what became of them.", ("outcome",), registry=self.registry
        )
        self.db_query_duration = Histogram(
            "fluxbase_db_query_duration_seconds",
            "Until a statement's last row.",
            buckets=_QUERY_BUCKETS,
            registry=self.registry,
        )
        self._outcomes = self.db_queries.labels("error"), self.db_queries.labels("ok")

    def observe_statement(self, seconds: float, succeeded: bool) -> None:  # noqa: FBT001 -- the observer's signature
        """Count a statement; what a pool's `Statements` call."""
        self._outcomes[succeeded].inc()
        self.db_query_duration.observe(seconds)

    def _declare_storage(self) -> None:
        self.storage_bytes = Counter(
            "fluxbase_storage_bytes",
            "Bytes of objects that came in or went out.",
            ("direction",),
            registry=self.registry,
        )
        self.storage_operations = Counter(
            "fluxbase_storage_operations",
            "Operations on buckets and objects, by what became of them.",
            ("operation", "outcome"),
            registry=self.registry,
        )

    def watch_pool(self, state: Any) -> None:
        """Report the pool of `state.resources`, which may be opened later, at each scrape."""
        self.registry.register(_PoolCollector(state))


class _PoolCollector(Collector):
    def __init__(self, state: Any) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        resources = getattr(self._state, "resources", None)
        if resources is None:
            return
        pool: _Pool = resources.database.pool
        begun = CounterMetricFamily("fluxbase_db_requests", "Transactions begun, by role.", labels=("role",))
        for role in ("anon", "authenticated", "service_role"):
            begun.add_metric((role,), resources.database.transactions[role])
        yield begun
        for name, help_text, value in (
            ("", "Open connections to PostgreSQL.", pool.get_size()),
            ("_idle", "Of these, those not in use.", pool.get_idle_size()),
            ("_max", "The most there may be.", pool.get_max_size()),
            ("_waiting", "Transactions that wait for a connection.", resources.database.waiting),
        ):
            yield GaugeMetricFamily(f"fluxbase_db_connections{name}", help_text, value=value)


def metrics_of(app: Any) -> Metrics:
    """The metrics of an application, made when first asked for."""
    metrics: Metrics | None = getattr(app.state, "metrics", None)
    if metrics is None:
        metrics = app.state.metrics = Metrics()
        metrics.watch_pool(app.state)
    return metrics

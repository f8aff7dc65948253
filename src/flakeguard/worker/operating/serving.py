"""The worker's HTTP: health and queue API on one port, metrics on another, one application behind both."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from flakeguard import __version__
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.health import is_ready, worker_health
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.operating import routes
from flakeguard.worker.operating.inspecting import all_stats
from fluxbase import http
from fluxbase.http.problem import is_outage
from fluxbase.monitoring.siblings import everybodys
from fluxbase.resources import Resources

_RETRY = {"Retry-After": "5"}
health_router = APIRouter(tags=["monitoring"])
metrics_router = APIRouter(tags=["monitoring"])


def create_worker_app(
    settings: FlakeGuardSettings, resources: Resources, metrics: WorkerMetrics, siblings: Path | None
) -> ASGIApp:
    """Health, queue API and metrics of a worker whose resources are open; `siblings` is where its processes answer."""
    app = http.Application(title="FlakeGuard worker", version=__version__, docs_url=None, redoc_url=None)
    app.state.settings, app.state.resources = settings, resources
    app.state.worker_metrics, app.state.siblings = metrics, siblings
    http.install(app, settings=settings, rate_limited=())
    app.include_router(health_router)
    app.include_router(routes.router)
    if not settings.metrics_enabled:
        return app
    app.include_router(metrics_router)
    return _MetricsPort(app, settings.metrics_port)


class _MetricsPort:
    """On the port of the metrics there is nothing else."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = scope.get("server")
        if scope["type"] == "http" and server and server[1] == self._port and scope["path"] != "/metrics":
            await JSONResponse({"error": "not_found", "message": "Only /metrics is here."}, 404)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


@health_router.get("/health")
async def health(request: Request) -> Response:
    """Database, Redis, queues, memory; 503 while one of them is not well."""
    state = request.app.state
    body, healthy = await worker_health(state.resources, state.settings)
    state.worker_metrics.health.set(healthy)
    return JSONResponse(body, 200 if healthy else 503, None if healthy else _RETRY)


@health_router.get("/health/ready")
async def ready(request: Request) -> Response:
    """Whether the worker can take jobs."""
    well = await is_ready(request.app.state.resources)
    return JSONResponse({"status": "ready" if well else "not ready"}, 200 if well else 503, None if well else _RETRY)


@health_router.get("/health/live")
async def live() -> dict[str, str]:
    """Whether the process answers at all; servers that are away are no reason to restart it."""
    return {"status": "alive"}


@metrics_router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Every metric of all processes of this worker, in OpenMetrics' format."""
    state: Any = request.app.state
    mine: WorkerMetrics = state.worker_metrics
    mine.health.set(await is_ready(state.resources))
    await _look_at_queues(state.resources, mine)
    everything = CollectorRegistry()
    everything.register(_Joined([await everybodys(mine.registry, state.siblings), mine.queues.registry]))
    untyped: Any = openmetrics
    text: bytes = untyped.generate_latest(everything)
    return Response(text, media_type=openmetrics.CONTENT_TYPE_LATEST)


async def _look_at_queues(resources: Resources, metrics: WorkerMetrics) -> None:
    try:
        found = await all_stats(resources)
    except Exception as error:
        if not is_outage(error):
            raise
        metrics.queues.unknown()
        return
    for queue in found:
        for status in ("waiting", "active", "delayed", "completed", "failed"):
            metrics.queues.sized(queue.name, status, getattr(queue, status))
        metrics.queues.dead_letters(queue.name, queue.dead_letters)


class _Joined(Collector):
    def __init__(self, registries: list[CollectorRegistry]) -> None:
        self._registries = registries

    def collect(self) -> list[Metric]:
        # Times of creation come back from the text of other processes as gauges, which OpenMetrics would call a clash.
        families = (family for registry in self._registries for family in registry.collect())
        return [family for family in families if not family.name.endswith("_created")]

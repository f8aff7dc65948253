"""The worker in this process, with its health and metrics on a port."""

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.health import worker_health
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.queues import QUEUES
from flakeguard.worker.runner import running_worker
from fluxbase.monitoring import exposition
from fluxbase.resources import Addresses, open_resources
from fluxbase.serving import Server, run, serve_until_orphaned, server_config


def work(settings: FlakeGuardSettings, addresses: Addresses) -> None:
    """Process jobs until SIGTERM or SIGINT; jobs under way are finished or handed back."""
    run(_work(settings, addresses))


def max_connections(settings: FlakeGuardSettings) -> int:
    """As many as the settings say, but enough for every queue, for what is done by the clock, for the relay and health.

    Retention holds a second connection while it works, which keeps others from it.
    """
    at_once = len(QUEUES) * settings.worker_concurrency + settings.jobs_max_concurrent_per_worker
    return max(settings.database_max_connections, at_once + 5)


async def _work(settings: FlakeGuardSettings, addresses: Addresses) -> None:
    registry = CollectorRegistry()
    async with open_resources(
        addresses, application_name="flakeguard-worker", max_connections=max_connections(settings)
    ) as resources:

        async def health(_request: Request) -> Response:
            body, healthy = await worker_health(resources, settings)
            return JSONResponse(body, 200 if healthy else 503)

        async def metrics(_request: Request) -> Response:
            return exposition(registry)

        app = Starlette(routes=[Route("/health", health), Route("/metrics", metrics)])
        server = Server(server_config(app, settings.host, settings.health_check_port), lambda: None)
        async with running_worker(resources, settings, WorkerMetrics(registry)):
            await serve_until_orphaned(server)

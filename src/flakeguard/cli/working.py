"""The worker in this process, with its health, queue API and metrics on their ports."""

import socket

from prometheus_client import CollectorRegistry

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.operating.serving import create_worker_app
from flakeguard.worker.queues import QUEUES
from flakeguard.worker.runner import running_worker
from fluxbase.monitoring.siblings import answering
from fluxbase.resources import Addresses, open_resources
from fluxbase.serving import Server, run, serve_until_orphaned, server_config, shared_socket


def work(settings: FlakeGuardSettings, addresses: Addresses) -> None:
    """Process jobs until SIGTERM or SIGINT; jobs under way are finished or handed back."""
    run(_work(settings, addresses))


def max_connections(settings: FlakeGuardSettings) -> int:
    """As many as the settings say, but enough for every queue, for what is done by the clock, for the relay and health.

    Retention holds a second connection while it works, which keeps others from it.
    """
    slots = settings.worker_concurrency + settings.high_priority_concurrency
    at_once = len(QUEUES) * slots + settings.jobs_max_concurrent_per_worker
    return max(settings.database_max_connections, at_once + 5)


def listening(settings: FlakeGuardSettings) -> list[socket.socket]:
    """The ports of health and of metrics; the processes of a worker may share them."""
    ports = [settings.health_check_port]
    if settings.metrics_enabled and settings.metrics_port != settings.health_check_port:
        ports.append(settings.metrics_port)
    return [shared_socket(settings.host, port) for port in ports]


async def _work(settings: FlakeGuardSettings, addresses: Addresses) -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    async with (
        open_resources(
            addresses, application_name="flakeguard-worker", max_connections=max_connections(settings)
        ) as resources,
        answering(metrics.registry) as siblings,
    ):
        app = create_worker_app(settings, resources, metrics, siblings)
        server = Server(server_config(app, settings.host, settings.health_check_port), lambda: None)
        async with running_worker(resources, settings, metrics):
            await serve_until_orphaned(server, listening(settings))

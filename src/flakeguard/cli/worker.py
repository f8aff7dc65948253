"""`flakeguard worker`: process jobs in the foreground, in one process or in several; `worker queues` looks at them."""

import os
import sys
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from flakeguard.cli import queues
from flakeguard.cli.output import ExitCode, fail, stderr
from flakeguard.cli.starting import reached, read_settings
from flakeguard.cli.working import listening, work
from flakeguard.settings import FlakeGuardSettings
from fluxbase.embedded.ports import port_or_next
from fluxbase.monitoring.siblings import FOLDER, PROCESS
from fluxbase.resources import Addresses
from fluxbase.serving import SUPERVISED, Role, StopSignal, keep_alive, stop_all

_LEAVING_SECONDS = 10
"""What a process may take beyond WORKER_SHUTDOWN_SECONDS to hand jobs back and close, before it is killed."""

app = typer.Typer(add_completion=False, help="Process jobs until SIGTERM, or look at the queues.")
app.add_typer(queues.app, name="queues")


@app.callback(invoke_without_command=True)
def worker(
    context: typer.Context,
    concurrency: Annotated[int | None, typer.Option(help="Jobs at once, of each queue (WORKER_CONCURRENCY).")] = None,
    processes: Annotated[int | None, typer.Option(help="Processes, each with that many (WORKER_PROCESSES).")] = None,
    port: Annotated[int | None, typer.Option(help="Health and queue API (HEALTH_CHECK_PORT).")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Metrics (METRICS_PORT).")] = None,
) -> None:
    """Fetch runs, parse uploads and judge tests until SIGTERM; health and queue API on HEALTH_CHECK_PORT."""
    if context.invoked_subcommand is not None:
        return
    settings = read_settings(
        worker_concurrency=concurrency, worker_processes=processes, health_check_port=port, metrics_port=metrics_port
    )
    if os.environ.get(PROCESS):
        with reached(settings, quiet=True) as addresses:
            work(settings, addresses)
        return
    settings = _on_free_ports(settings)
    with reached(settings) as addresses:
        stderr().print(f"worker: health on http://{settings.host}:{settings.health_check_port}/health")
        if settings.metrics_enabled:
            stderr().print(f"worker: metrics on http://{settings.host}:{settings.metrics_port}/metrics")
        if settings.worker_processes == 1:
            work(settings, addresses)
        else:
            _supervise(settings, addresses)


def _on_free_ports(settings: FlakeGuardSettings) -> FlakeGuardSettings:
    """In development busy ports move aside; in production the worker says which one is busy and ends."""
    health = port_or_next(settings.host, settings.health_check_port)
    metrics = port_or_next(settings.host, settings.metrics_port) if settings.metrics_enabled else settings.metrics_port
    if metrics == health and settings.metrics_port != settings.health_check_port:
        metrics = port_or_next(settings.host, health + 1)
    wanted = (settings.health_check_port, settings.metrics_port)
    for port, free in zip(wanted, (health, metrics), strict=True):
        if settings.is_production and port not in (0, free):
            fail(ExitCode.UNREACHABLE, f"port {port} is busy", hint="Set HEALTH_CHECK_PORT and METRICS_PORT.")
    return settings.model_copy(update={"health_check_port": health, "metrics_port": metrics})


def _supervise(settings: FlakeGuardSettings, addresses: Addresses) -> None:
    sockets = listening(settings)  # bound and not listening: they keep the ports for us
    try:
        with TemporaryDirectory(prefix="flakeguard-") as folder:
            stop = StopSignal()
            roles = _roles(settings, addresses, folder)
            try:
                for role in roles:
                    role.start()
                keep_alive(roles, stop, lambda told: stderr().print(f"[yellow]{told}[/]"))
            finally:
                stop_all(roles, seconds=settings.worker_shutdown_seconds + _LEAVING_SECONDS)
    finally:
        for bound in sockets:
            bound.close()


def _roles(settings: FlakeGuardSettings, addresses: Addresses, folder: str) -> list[Role]:
    told = {
        **os.environ,
        "FG_DATABASE_DSN": addresses.runtime_dsn,
        "REDIS_URL": addresses.redis_url,
        "FG_JWT_SECRET": addresses.secret,
        "HOST": settings.host,
        "HEALTH_CHECK_PORT": str(settings.health_check_port),
        "METRICS_PORT": str(settings.metrics_port),
        "WORKER_CONCURRENCY": str(settings.worker_concurrency),
        "WORKER_PROCESSES": str(settings.worker_processes),
        SUPERVISED: "1",
        FOLDER: folder,
    }
    if addresses.owner_dsn is not None:
        told["FG_DATABASE_OWNER_DSN"] = addresses.owner_dsn
    command = [sys.executable, "-m", "flakeguard", "worker"]
    return [
        Role(
            f"process {number}",
            command,
            {**told, PROCESS: str(number), "WORKER_NAME": f"{settings.worker_name}-{number}"},
        )
        for number in range(1, settings.worker_processes + 1)
    ]

"""`fluxbase serve`: the backend in the foreground, in one process or in several behind one address."""

import os
import socket
import sys
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from fluxbase.app import create_app
from fluxbase.cli.output import ExitCode, fail, say
from fluxbase.cli.starting import reached, settings_of
from fluxbase.embedded.ports import port_or_next
from fluxbase.monitoring.siblings import FOLDER, PROCESS
from fluxbase.resources import Addresses
from fluxbase.serving import (
    SUPERVISED,
    Role,
    Server,
    StopSignal,
    keep_alive,
    run,
    serve_until_orphaned,
    server_config,
    shared_socket,
    stop_all,
)
from fluxbase.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (server.host).")] = None,
    port: Annotated[int | None, typer.Option(help="Port (server.port, 8080); moved aside when busy in dev.")] = None,
    processes: Annotated[int | None, typer.Option(help="Processes behind the address (server.processes).")] = None,
) -> None:
    """Serve REST, auth, realtime, storage, jobs and monitoring until Ctrl-C or SIGTERM."""
    settings = _listening(settings_of(host=host, port=port, processes=processes), host, port)
    with reached(settings, quiet=False, logs_to=sys.stdout) as addresses:
        how = f" with {settings.processes} processes" if settings.processes > 1 else ""
        say(f"Fluxbase listens on http://{settings.host}:{settings.port}{how}")
        if settings.processes == 1:
            run_server(settings, addresses)
        else:
            _supervise(settings, addresses)
    say("Fluxbase has stopped.")


def serve_process() -> None:
    """Serve as one of several processes; `fluxbase serve` starts it and tells it everything by the environment."""
    settings = settings_of()
    with reached(settings, logs_to=sys.stdout) as addresses:
        run_server(settings, addresses, shared_socket(settings.host, settings.port))


def _listening(settings: Settings, host: str | None, port: int | None) -> Settings:
    """The settings with the place to listen decided: options, then `server.address`, then `server.host` and `.port`."""
    named_host, named_port = settings.listens_on
    wanted_host, wanted = host or named_host, named_port if port is None else port
    free = port_or_next(wanted_host, wanted)
    if free != wanted and wanted:
        if settings.is_production:
            fail(ExitCode.UNREACHABLE, f"port {wanted} is busy", hint="Stop what listens there, or set server.address.")
        say(f"port {wanted} is busy: using {free}")
    return settings.model_copy(update={"address": None, "host": wanted_host, "port": free})


def run_server(settings: Settings, addresses: Addresses, listening: socket.socket | None = None) -> None:
    """Serve in this process until SIGTERM or SIGINT, on `listening` when it is given."""
    app = create_app(settings, addresses)
    server = Server(server_config(app, settings.host, settings.port), lambda: None)
    run(serve_until_orphaned(server, [listening] if listening else None))


def _supervise(settings: Settings, addresses: Addresses) -> None:
    # Bound and not listening: it keeps the port for us, and the kernel gives it no connection.
    with shared_socket(settings.host, settings.port), TemporaryDirectory(prefix="fluxbase-") as folder:
        stop = StopSignal()
        command = [sys.executable, "-m", "fluxbase", "serve-process"]
        told = {**_told(settings, addresses), FOLDER: folder}
        roles = [
            Role(f"process {number}", command, {**told, PROCESS: str(number)})
            for number in range(1, settings.processes + 1)
        ]
        try:
            for role in roles:
                role.start()
            keep_alive(roles, stop, say)
        finally:
            stop_all(roles)


def _told(settings: Settings, addresses: Addresses) -> dict[str, str]:
    """The environment of a process: what was decided and resolved here is not to be decided again there."""
    environment = {
        **os.environ,
        "FLUXBASE_SERVER_ADDRESS": f"{settings.host}:{settings.port}",
        "FLUXBASE_SERVER_HOST": settings.host,
        "FLUXBASE_SERVER_PORT": str(settings.port),
        "FLUXBASE_SERVER_PROCESSES": str(settings.processes),
        "FLUXBASE_DATABASE_URL": addresses.runtime_dsn,
        "FLUXBASE_REDIS_URL": addresses.redis_url,
        "FLUXBASE_AUTH_JWT_SECRET": addresses.secret,
        SUPERVISED: "1",
    }
    if addresses.owner_dsn is not None:
        environment["FLUXBASE_DATABASE_OWNER_URL"] = addresses.owner_dsn
    return environment

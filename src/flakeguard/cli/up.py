"""`flakeguard up`: everything on one machine, with one command, until Ctrl-C."""

import os
import sys
import time
from contextlib import suppress
from typing import Annotated

import httpx
import typer

from flakeguard.cli.announcing import announced
from flakeguard.cli.output import ExitCode, fail, stderr
from flakeguard.cli.starting import reached, read_settings
from flakeguard.settings import FlakeGuardSettings
from fluxbase.embedded.ports import port_or_next
from fluxbase.resources import Addresses
from fluxbase.servers import home_of
from fluxbase.serving import STOP_SECONDS, SUPERVISED, Role, StopSignal, keep_alive, stop_all

_READY_SECONDS = 60
_LOOK_SECONDS = 0.2
_LEAVING_SECONDS = 15


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on (HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (PORT); moved aside when busy.")] = None,
) -> None:
    """Run FlakeGuard on this machine: servers, migrations, API, dashboard, worker. Ctrl-C stops all of it."""
    settings = read_settings(host=host, port=port)
    free = port_or_next(settings.host, settings.port)
    if free != settings.port:
        stderr().print(f"[yellow]port {settings.port} is busy: using {free}[/]")
    settings = settings.model_copy(update={"port": free})
    stop = StopSignal()
    with reached(settings) as addresses:
        _supervise(settings, addresses, stop)
    stderr().print("FlakeGuard has stopped.")


def _supervise(settings: FlakeGuardSettings, addresses: Addresses, stop: StopSignal) -> None:
    roles = _roles(settings, addresses)
    address = f"http://{settings.host}:{settings.port}"
    try:
        for role in roles:
            role.start()
        if _wait_until_ready(address, roles, stop):
            stderr().print(
                f"\n[bold green]FlakeGuard is ready:[/] [bold]{settings.public_url or address}[/]   (Ctrl-C stops it)\n"
            )
        home = home_of(settings).path
        home.mkdir(mode=0o711, parents=True, exist_ok=True)
        with announced(home, settings.public_url or address):
            keep_alive(roles, stop, lambda told: stderr().print(f"[yellow]{told}[/]"))
    finally:
        with suppress(OSError, SystemExit):  # whoever read what we say may be gone; the roles have to end all the same
            stderr().print("stopping …")
        stop_all(roles, seconds=max(STOP_SECONDS, settings.worker_shutdown_seconds + _LEAVING_SECONDS))


def _roles(settings: FlakeGuardSettings, addresses: Addresses) -> list[Role]:
    environment = {
        **os.environ,
        "FG_DATABASE_DSN": addresses.runtime_dsn,
        "FG_DATABASE_OWNER_DSN": addresses.owner_dsn or "",
        "REDIS_URL": addresses.redis_url,
        "FG_JWT_SECRET": addresses.secret,
        "FG_PUBLIC_URL": settings.public_url or f"http://{settings.host}:{settings.port}",
        "HOST": settings.host,
        SUPERVISED: "1",
    }
    environment.setdefault("FG_LOG_FORMAT", "text")
    ourselves = [sys.executable, "-m", "flakeguard"]
    return [
        Role("api", [*ourselves, "serve", "api", "--port", str(settings.port)], environment),
        Role("worker", [*ourselves, "worker"], environment),
    ]


def _wait_until_ready(address: str, roles: list[Role], stop: StopSignal) -> bool:
    deadline = time.monotonic() + _READY_SECONDS
    with httpx.Client(trust_env=False, timeout=2) as client:
        while not stop.received:
            for role in roles:
                if role.exit_code is not None:
                    fail(ExitCode.UNREACHABLE, f"the {role.name} ended at once (exit code {role.exit_code}); see above")
            try:
                if client.get(f"{address}/health").is_success:
                    return True
            except httpx.HTTPError:
                pass  # not yet
            if time.monotonic() > deadline:
                fail(ExitCode.UNREACHABLE, f"{address} does not answer after {_READY_SECONDS} s; see above")
            time.sleep(_LOOK_SECONDS)
    return False

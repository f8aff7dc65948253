"""`flakeguard up`: everything on one machine, with one command, until Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import httpx
import typer

from flakeguard.cli.announcing import announced
from flakeguard.cli.output import ExitCode, fail, stderr
from flakeguard.cli.serving import SUPERVISED
from flakeguard.cli.starting import reached, read_settings
from flakeguard.settings import FlakeGuardSettings
from fluxbase.embedded.ports import port_or_next
from fluxbase.resources import Addresses
from fluxbase.servers import home_of

_READY_SECONDS, _STOP_SECONDS = 60, 40
_LOOK_SECONDS = 0.2
_RESTART_SECONDS = 1.0


@dataclass
class _Role:
    """A child process, started again when it dies by itself."""

    name: str
    arguments: list[str]
    environment: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = field(default=0.0)

    def start(self) -> None:
        self.started_at = time.monotonic()
        # A session of its own: Ctrl-C reaches the supervisor alone, which stops the roles in order.
        self.process = subprocess.Popen(  # noqa: S603 -- ourselves
            [sys.executable, "-m", "flakeguard", *self.arguments], env=self.environment, start_new_session=True
        )

    @property
    def exit_code(self) -> int | None:
        return None if self.process is None else self.process.poll()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(seconds, 0.1))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


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
    stop = _StopSignal()
    with reached(settings) as addresses:
        _supervise(settings, addresses, stop)
    stderr().print("FlakeGuard has stopped.")


class _StopSignal:
    """Becomes true at the first SIGINT or SIGTERM."""

    def __init__(self) -> None:
        self.received = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._receive)

    def _receive(self, _number: int, _frame: object) -> None:
        self.received = True


def _supervise(settings: FlakeGuardSettings, addresses: Addresses, stop: _StopSignal) -> None:
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
            while not stop.received:
                time.sleep(_LOOK_SECONDS)
                _revive(roles)
    finally:
        stderr().print("stopping …")
        deadline = time.monotonic() + _STOP_SECONDS
        for role in roles:
            role.stop()
        for role in roles:
            role.wait(deadline - time.monotonic())


def _roles(settings: FlakeGuardSettings, addresses: Addresses) -> list[_Role]:
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
    return [
        _Role("api", ["serve", "api", "--port", str(settings.port)], environment),
        _Role("worker", ["worker"], environment),
    ]


def _wait_until_ready(address: str, roles: list[_Role], stop: _StopSignal) -> bool:
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


def _revive(roles: list[_Role]) -> None:
    for role in roles:
        if role.exit_code is not None and time.monotonic() - role.started_at > _RESTART_SECONDS:
            stderr().print(f"[yellow]the {role.name} ended (exit code {role.exit_code}); starting it again[/]")
            role.start()

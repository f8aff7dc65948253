"""A PostgreSQL and a Valkey of a test's own, which it may stop and start again at the same address."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from redis import Redis

from fluxbase.embedded import Home
from fluxbase.embedded.postgres import EmbeddedPostgres, wheel_archive
from fluxbase.embedded.valkey import EmbeddedValkey, wheel_program


@contextmanager
def own_home(name: str) -> Iterator[Home]:
    """A folder for servers, removed afterwards."""
    # Not pytest's own folder: that is private, and under root the servers run as somebody else.
    home = Home(Path(tempfile.gettempdir()) / f"{name}-{os.getpid()}")
    try:
        yield home
    finally:
        home.remove_if_idle()


@dataclass(frozen=True)
class OwnPostgres:
    """`dsn` is the superuser's, and has no database yet."""

    embedded: EmbeddedPostgres
    dsn: str

    def stop(self, mode: str) -> None:
        """`fast` rolls back what is open; `immediate` is a crash, which recovers at the next start."""
        self._control("stop", "-m", mode)

    def start(self) -> None:
        log = self.embedded.data.parent / "postgresql.log"
        self._control("start", "-l", str(log), "-o", f"-p {self.dsn.rpartition(':')[2]}")

    def restart(self, mode: str) -> None:
        self.stop(mode)
        self.start()

    def _control(self, *arguments: str) -> None:
        done = self.embedded._control(self.embedded._programs(), *arguments, "-w", "-t", "60")
        assert done.returncode == 0, done.stderr


@contextmanager
def own_postgres(home: Home, configuration: str = "") -> Iterator[OwnPostgres]:
    """Running, with `configuration` at the end of postgresql.conf."""
    embedded = EmbeddedPostgres(home, wheel_archive(), configuration)
    try:
        yield OwnPostgres(embedded, embedded.ensure_running())
    finally:
        embedded.stop()


@dataclass(frozen=True)
class OwnValkey:
    embedded: EmbeddedValkey
    url: str

    def stop(self) -> None:
        self.embedded.stop()

    def process(self) -> psutil.Process:
        with Redis.from_url(self.url) as client:
            return psutil.Process(client.info("server")["process_id"])

    def start(self) -> None:
        configuration = self.embedded.data / "valkey.conf"
        done = self.embedded.home.run(self.embedded._reachable_program(), configuration, cwd=self.embedded.data)
        assert done.returncode == 0, done.stdout


@contextmanager
def own_valkey(home: Home) -> Iterator[OwnValkey]:
    """Running."""
    embedded = EmbeddedValkey(home, wheel_program())
    try:
        yield OwnValkey(embedded, embedded.ensure_running())
    finally:
        embedded.stop()

"""`fluxbase serve` in two processes and `fluxbase worker`, on a PostgreSQL and a Valkey of the test's own."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg
import psutil

from fluxbase.auth.access_tokens import issue_for_role
from fluxbase.embedded.ports import free_port
from fluxbase.resources import utc_now

from ..fluxbase.failure.own_servers import OwnPostgres, OwnValkey, own_home, own_postgres, own_valkey
from .installation import READY_SECONDS, Program, answers, listening_children, start, stop, until

PROCESSES = 2
CONNECTIONS = 10
"""To PostgreSQL, of each process."""
BUCKET = "chaos"
_SECRET = "a secret for tests only, long enough for HS256"
_DISK = "96m"

_SCHEMA = f"""
CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tag text NOT NULL, owner uuid NOT NULL);
CREATE INDEX ON notes (tag);
SELECT rest.expose('notes', 'owner');
SELECT realtime.set_events('public.notes', '{{INSERT}}');
CREATE TABLE effects (job_id uuid NOT NULL, attempt integer NOT NULL);
GRANT INSERT ON effects TO service_role;
INSERT INTO storage.buckets (id, user_uploads) VALUES ('{BUCKET}', true);
"""
# Limits out of the way, and death noticed soon: a minute is a long time here.
_SETTINGS = {
    "FLUXBASE_SERVER_RATE_LIMIT_REQUESTS_PER_SECOND": "100000",
    "FLUXBASE_SERVER_RATE_LIMIT_BURST": "100000",
    "FLUXBASE_AUTH_SIGNIN_PER_MINUTE": "100000",
    "FLUXBASE_DATABASE_MAX_CONNECTIONS": str(CONNECTIONS),
    "FLUXBASE_REALTIME_SLOW_CLIENT_THRESHOLD": "20",
    "FLUXBASE_REALTIME_SLOW_CLIENT_TIMEOUT": "2s",
    "FLUXBASE_JOBS_IN_PROCESS": "false",  # the worker's alone
    "FLUXBASE_JOBS_MODULES": "jobs_of_chaos",
    "FLUXBASE_JOBS_HEARTBEAT_INTERVAL": "1s",
    "FLUXBASE_JOBS_DEAD_AFTER": "6s",
    "FLUXBASE_JOBS_MAX_PENDING_PER_USER": "100000",
    "PYTHONPATH": str(Path(__file__).parent),
}


@dataclass
class Backend:
    """All of it, running."""

    postgres: OwnPostgres
    valkey: OwnValkey
    folder: Path
    settings: dict[str, str]
    port: int
    server: Program
    worker: Program

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def owner_dsn(self) -> str:
        return f"{self.postgres.dsn}/postgres"

    @property
    def storage(self) -> Path:
        return self.folder / "storage"

    @property
    def service_token(self) -> str:
        return issue_for_role(_SECRET, "service_role", now=utc_now(), lifetime=timedelta(hours=1))

    def listening(self) -> list[psutil.Process]:
        """The server's processes that accept connections."""
        return listening_children(self.server.process.pid, self.port)

    def start_worker(self) -> None:
        self.worker.process = start(["fluxbase", "worker"], self.settings, self.folder, self.worker.log)


@contextmanager
def running_backend() -> Iterator[Backend]:
    """Started, with the tables that the load writes to."""
    with ExitStack() as stack:
        home = stack.enter_context(own_home("fluxbase-chaos"))
        postgres = stack.enter_context(own_postgres(home))
        valkey = stack.enter_context(own_valkey(home))
        folder, port = home.path / "fluxbase", free_port()
        settings = _SETTINGS | {
            "FLAKEGUARD_HOME": str(folder),
            "FLUXBASE_DATABASE_URL": f"{postgres.dsn}/postgres",
            "FLUXBASE_REDIS_URL": valkey.url,
            "FLUXBASE_AUTH_JWT_SECRET": _SECRET,
            "FLUXBASE_STORAGE_LOCAL_PATH": str(folder / "storage"),
        }
        folder.mkdir(parents=True)
        stack.enter_context(_disk(folder / "storage"))
        serve = ["fluxbase", "serve", "--port", str(port), "--processes", str(PROCESSES)]
        log = folder / "serve.log"
        server = Program(log, start(serve, settings, folder, log))
        stack.callback(stop, server.process)
        until(lambda: answers(server, f"http://127.0.0.1:{port}"), READY_SECONDS, log.read_text)
        log = folder / "worker.log"
        worker = Program(log, start(["fluxbase", "worker"], settings, folder, log))
        stack.callback(lambda: stop(worker.process))
        backend = Backend(postgres, valkey, folder, settings, port, server, worker)
        until(lambda: len(backend.listening()) == PROCESSES, READY_SECONDS, server.log.read_text)
        until(lambda: "job worker registered" in worker.log.read_text(), READY_SECONDS, worker.log.read_text)
        asyncio.run(_execute(backend.owner_dsn, _SCHEMA))
        yield backend


async def _execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """A small file system, where one can be mounted."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def full_disk(backend: Backend) -> Iterator[None]:
    """No room for objects during the block; without a file system of its own, no process may make a larger file."""
    if not backend.storage.is_mount():
        with _no_large_files(backend):
            yield
        return
    filler = backend.storage / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 65536):
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()


_LARGEST_FILE = 4096


@contextmanager
def _no_large_files(backend: Backend) -> Iterator[None]:
    before = {process: process.rlimit(psutil.RLIMIT_FSIZE) for process in backend.listening()}
    for process, (_, hard) in before.items():
        process.rlimit(psutil.RLIMIT_FSIZE, (_LARGEST_FILE, hard))
    try:
        yield
    finally:
        for process, limits in before.items():
            process.rlimit(psutil.RLIMIT_FSIZE, limits)

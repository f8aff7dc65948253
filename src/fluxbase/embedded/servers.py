"""Join the machine's embedded servers, starting them if nobody has; the last to leave stops them.

Every process that uses them holds a shared lock on one file. Who leaves tries to make its lock exclusive: when that
succeeds, nobody else is there. A process that is killed loses its lock with its life, so nothing is left behind but
servers that run on, for the next to join. A server that dies is started again by those who use it.
"""

import asyncio
import fcntl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from fluxbase.embedded.guard import guarded
from fluxbase.embedded.home import Home
from fluxbase.embedded.postgres import EmbeddedPostgres, wheel_archive
from fluxbase.embedded.valkey import EmbeddedValkey, wheel_program


@dataclass(frozen=True)
class EmbeddedServers:
    """Addresses of the running servers: the owner's database, and Redis."""

    owner_dsn: str
    redis_url: str


@contextmanager
def join_servers(
    home: Home, database: str, *, archive: Path | None = None, configuration: str = "", keep_running: bool = False
) -> Generator[EmbeddedServers]:
    """Both servers, running, for as long as the block lasts; `database` is made when missing.

    `archive` are other PostgreSQL programs than the wheel's; `configuration` is appended to postgresql.conf when the
    data folder is first made; `keep_running` leaves the servers up when the last process leaves.

    Raises:
        ConfigurationError: A server does not start, or its wheel is not installed.
    """
    postgres = EmbeddedPostgres(home, archive or wheel_archive(), configuration)
    ended = threading.Event()
    valkey = EmbeddedValkey(home, wheel_program(), unwanted=ended)
    with (home.servers / "in-use.lock").open("w") as in_use:
        with _starting(home):
            fcntl.flock(in_use, fcntl.LOCK_SH)
            address = postgres.ensure_running()
            redis_url = valkey.ensure_running()
            asyncio.run(_ensure_database(f"{address}/postgres", database))
        try:
            with guarded({address: postgres, redis_url: valkey}, lambda: _starting(home), ended):
                yield EmbeddedServers(f"{address}/{database}", redis_url)
        finally:
            if not keep_running:
                with _starting(home):
                    if _alone(in_use.fileno()):
                        valkey.stop()
                        postgres.stop()


@contextmanager
def _starting(home: Home) -> Generator[None]:
    """One process at a time starts or stops."""
    with (home.servers / "starting.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _alone(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _ensure_database(dsn: str, name: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()

"""Real servers for every test: one PostgreSQL and one Valkey a run, a template database cloned for each test."""

import asyncio
import fcntl
import os
import socket
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from hypothesis import settings as hypothesis_settings

from flakeguard.settings import FlakeGuardSettings
from fluxbase.db.migrate import migrate
from fluxbase.db.roles import ensure_runtime_role
from fluxbase.embedded import EmbeddedServers, Home, join_servers
from fluxbase.resources import Addresses, Resources, connect_redis, open_resources

SECRET = "a secret for tests only, long enough for HS256"
TEMPLATE = "flakeguard_template"
FASTER = "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n"

hypothesis_settings.register_profile("tests", deadline=None, derandomize=True, print_blob=True)
hypothesis_settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """No test reaches beyond this machine."""
    real = socket.socket.connect

    def connect(self: socket.socket, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        return real(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        yield


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    """The run's PostgreSQL (18, or the programs that FLAKEGUARD_TEST_POSTGRES names) and Valkey; workers share them."""
    # Not pytest's own folder: that is private, and under root the servers run as somebody else.
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"pid{os.getpid()}")
    home = Home(_folder_for_servers() / f"flakeguard-tests-{run_id}")
    archive = os.environ.get("FLAKEGUARD_TEST_POSTGRES")
    try:
        with join_servers(
            home, "flakeguard", archive=Path(archive) if archive else None, configuration=FASTER
        ) as running:
            with (home.servers / "template.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not (home.servers / "template.ready").exists():
                    asyncio.run(_make_template(running))
                    (home.servers / "template.ready").touch()
            yield running
    finally:
        home.remove_if_idle()


_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 * 1024**3


def _folder_for_servers() -> Path:
    """Memory where there is room: a thousand databases are cloned, each ten times slower on a disk that is shared."""
    try:
        stats = os.statvfs(_MEMORY)
    except OSError:
        return Path(tempfile.gettempdir())
    usable = not stats.f_flag & os.ST_NOEXEC and os.access(_MEMORY, os.W_OK)
    return _MEMORY if usable and stats.f_bavail * stats.f_frsize > _ROOM_BYTES else Path(tempfile.gettempdir())


async def _make_template(servers: EmbeddedServers) -> None:
    template = servers.owner_dsn.rpartition("/")[0] + "/" + TEMPLATE
    await _execute(servers.owner_dsn, f"CREATE DATABASE {TEMPLATE}")
    await asyncio.to_thread(migrate, template)
    await ensure_runtime_role(template, SECRET)
    await _execute(servers.owner_dsn, f"ALTER DATABASE {TEMPLATE} IS_TEMPLATE true")


async def _execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


_REDIS_DATABASES = 8  # the other eight are those of the browser tests
_clones = iter(range(1_000_000))


@asynccontextmanager
async def cloned_database(servers: EmbeddedServers, name: str, worker_id: str) -> AsyncGenerator[Addresses]:
    """A database cloned from the migrated template, and the Redis database of this worker."""
    number = int(worker_id.removeprefix("gw")) if worker_id != "master" else 0
    await _execute(servers.owner_dsn, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    owner = servers.owner_dsn.rpartition("/")[0] + "/" + name
    redis_url = servers.redis_url.rpartition("/")[0] + f"/{number % _REDIS_DATABASES}"
    runtime = await ensure_runtime_role(owner, SECRET)
    yield Addresses(owner_dsn=owner, runtime_dsn=runtime, redis_url=redis_url, secret=SECRET)
    await _execute(servers.owner_dsn, f"DROP DATABASE {name} WITH (FORCE)")


async def empty_redis(url: str) -> None:
    """Of limits, counters and whatever else a test before left."""
    client = connect_redis(url)
    await client.flushdb()
    await client.aclose()


@pytest.fixture
async def addresses(servers: EmbeddedServers, worker_id: str) -> AsyncIterator[Addresses]:
    """A database of the test's own, and an emptied Redis database."""
    async with cloned_database(servers, f"test_{os.getpid()}_{next(_clones)}", worker_id) as cloned:
        await empty_redis(cloned.redis_url)
        yield cloned


@pytest.fixture
async def resources(addresses: Addresses) -> AsyncIterator[Resources]:
    """Open connections to the test's own database."""
    async with open_resources(addresses, application_name="tests", max_connections=8) as opened:
        yield opened


@pytest.fixture
async def owner(addresses: Addresses) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """The operator's connection: RLS does not stand in its way."""
    connection = await asyncpg.connect(addresses.owner_dsn)
    yield connection
    await connection.close()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> FlakeGuardSettings:
    """Settings as in a clone, whatever the environment and `.env` of the machine say."""
    return settings_of_a_clone(monkeypatch)


def settings_of_a_clone(monkeypatch: pytest.MonkeyPatch) -> FlakeGuardSettings:
    """The same for fixtures that live longer than a test."""
    for variable in [name for name in os.environ if name.startswith(("FG_", "FLUXBASE_"))]:
        monkeypatch.delenv(variable)
    return FlakeGuardSettings(_env_file=None, public_url="http://testserver", jwt_secret=SECRET)

"""What clients and operators see while a server is away, and that it heals by itself."""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import httpx
import pytest
import structlog

from fluxbase.db.migrate import migrate
from fluxbase.db.roles import ensure_runtime_role
from fluxbase.embedded import Home
from fluxbase.embedded.postgres import EmbeddedPostgres, wheel_archive
from fluxbase.resources import Addresses, open_resources

from ..serving import PASSWORD, bearer, client_for, make_app


async def test_too_many_connections_are_503_and_have_the_runbooks_line(settings, addresses, owner):
    name = await owner.fetchval("SELECT current_database()")
    async with open_resources(addresses, application_name="tests", max_connections=8) as resources:
        app = make_app(settings, resources)
        async with client_for(app) as client:
            signed_up = await client.post(
                "/api/v1/auth/signup", json={"email": "ada@example.com", "password": PASSWORD}
            )
            client.cookies.clear()
            await owner.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 1")  # which is the owner's own
            await owner.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid != pg_backend_pid()",
                name,
            )
            with structlog.testing.capture_logs() as lines:
                answers = [await client.get("/api/v1/auth/user", headers=bearer(signed_up.json())) for _ in range(3)]
            await owner.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
            healed = await client.get("/api/v1/auth/user", headers=bearer(signed_up.json()))

    assert answers[-1].status_code == 503
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].json()["error"] == "service_unavailable"
    assert "too many connections" in [line["event"] for line in lines]
    assert healed.status_code == 200


class Cable:
    """A TCP cable to a server, which can be pulled and plugged in again."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._server: asyncio.Server | None = None
        self._pulled: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def plug(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def pull(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._pulled):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection(*self._to)
        self._pulled |= {writer, to}
        with contextlib.suppress(OSError):
            await asyncio.gather(_copy(reader, to), _copy(there, writer))
        self._pulled -= {writer, to}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_redis_gone_and_back(settings, addresses):
    rest = addresses.redis_url.removeprefix("redis://")
    credentials, _, place = rest.rpartition("@")
    host, _, port_and_database = place.partition(":")
    port, _, database = port_and_database.partition("/")
    cable = Cable(host, int(port))
    await cable.plug()
    at = f"{credentials}@" if credentials else ""
    through = replace(addresses, redis_url=f"redis://{at}127.0.0.1:{cable.port}/{database}")
    limited = settings.model_copy(update={"requests_per_second": 2, "request_burst": 2})
    async with (
        open_resources(through, application_name="tests", max_connections=4) as resources,
        client_for(make_app(limited, resources)) as client,
    ):

        async def statuses() -> list[int]:
            return [(await client.get("/api/v1/auth/user")).status_code for _ in range(4)]

        async def until(wanted: Callable[[list[int]], bool]) -> None:
            async with asyncio.timeout(20):
                while not wanted(await statuses()):  # noqa: ASYNC110 -- as clients find out
                    await asyncio.sleep(0.05)

        await until(lambda found: 429 in found)
        await cable.pull()
        await until(lambda found: set(found) == {401})
        await cable.plug()
        await until(lambda found: 429 in found)
    await cable.pull()


@pytest.fixture
async def restartable() -> AsyncIterator[tuple[Addresses, Callable[[], Awaitable[None]]]]:
    """A PostgreSQL of the test's own, and how to restart it."""
    # Not pytest's own folder: that is private, and under root PostgreSQL runs as somebody else.
    home = Home(Path(tempfile.gettempdir()) / f"fluxbase-restart-{os.getpid()}")
    postgres = EmbeddedPostgres(home, wheel_archive(), "fsync = off\n")
    dsn = await asyncio.to_thread(postgres.ensure_running)
    port = int(postgres.data.joinpath("postmaster.pid").read_text().splitlines()[3])

    async def restart() -> None:
        programs = postgres._programs()
        command = [programs / "pg_ctl", "-D", postgres.data, "restart", "-m", "immediate", "-w", "-t", "60",
                   "-l", str(postgres.data.parent / "postgresql.log"), "-o", f"-p {port}"]  # fmt: skip
        done = await asyncio.to_thread(postgres.home.run, *command, cwd=postgres.data.parent)
        assert done.returncode == 0, done.stderr

    try:
        await asyncio.to_thread(migrate, f"{dsn}/postgres", "fluxbase")
        runtime = await ensure_runtime_role(f"{dsn}/postgres", "x" * 40)
        yield Addresses(f"{dsn}/postgres", runtime, "redis://127.0.0.1:1/0", "x" * 40), restart
    finally:
        await asyncio.to_thread(postgres.stop)
        home.remove_if_idle()


async def test_postgresql_restarted_under_load_loses_nothing_and_heals(settings, restartable):
    addresses, restart = restartable
    accepted: list[str] = []
    statuses: set[int] = set()
    stop = asyncio.Event()

    async def load(client: httpx.AsyncClient, worker: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            email = f"u{worker}.{number}@example.com"
            answer = await client.post("/api/v1/auth/signup", json={"email": email, "password": PASSWORD})
            client.cookies.clear()
            statuses.add(answer.status_code)
            if answer.status_code == 201:
                accepted.append(email)
            else:
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) >= 1
                await asyncio.sleep(0.01)

    async with open_resources(addresses, application_name="tests", max_connections=6) as resources:
        async with (
            client_for(make_app(settings, resources)) as client,
            asyncio.timeout(60),
            asyncio.TaskGroup() as group,
        ):
            for worker in range(4):
                group.create_task(load(client, worker))
            while len(accepted) < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await restart()
            before = len(accepted)
            while len(accepted) < before + 20:  # noqa: ASYNC110 -- it goes on by itself
                await asyncio.sleep(0.01)
            stop.set()
        connection = await asyncpg.connect(addresses.owner_dsn)
        stored = {row["email"] for row in await connection.fetch("SELECT email FROM auth.users")}
        await connection.close()
    assert set(accepted) <= stored, "what was answered with 201 is there"
    assert 201 in statuses

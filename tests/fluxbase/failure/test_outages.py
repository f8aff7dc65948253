"""What clients and operators see while a server is away, and that it heals by itself."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count

import asyncpg
import httpx
import pytest
import structlog

from fluxbase.db.migrate import migrate
from fluxbase.db.roles import ensure_runtime_role
from fluxbase.resources import Addresses, open_resources

from ..serving import PASSWORD, bearer, client_for, make_app
from .cable import cable_to_redis
from .own_servers import OwnPostgres, own_home, own_postgres


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


async def test_redis_gone_and_back(settings, addresses):
    limited = settings.model_copy(update={"requests_per_second": 2, "request_burst": 2})
    async with (
        cable_to_redis(addresses) as (cable, through),
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


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    with own_home("fluxbase-restart") as home, own_postgres(home, "fsync = off\n") as running:
        yield running


@pytest.fixture(scope="module")
async def restartable(postgres: OwnPostgres) -> Addresses:
    """A migrated database of `postgres`."""
    owner = f"{postgres.dsn}/postgres"
    await asyncio.to_thread(migrate, owner, "fluxbase")
    runtime = await ensure_runtime_role(owner, "x" * 40)
    return Addresses(owner, runtime, "redis://127.0.0.1:1/0", "x" * 40)


async def test_alone_its_migrations_leave_public_to_the_user(restartable):
    owner = await asyncpg.connect(restartable.owner_dsn)
    schemas = {row["nspname"] for row in await owner.fetch("SELECT DISTINCT relnamespace::regnamespace::text AS nspname"
        " FROM pg_class WHERE relkind IN ('r', 'p', 'S') AND relnamespace NOT IN"
        " ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)")}  # fmt: skip
    await owner.close()
    assert schemas == {"auth", "jobs", "realtime", "storage"}


async def test_postgresql_restarted_under_load_loses_nothing_and_heals(settings, postgres, restartable):
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

    async with open_resources(restartable, application_name="tests", max_connections=6) as resources:
        async with (
            client_for(make_app(settings, resources)) as client,
            asyncio.timeout(60),
            asyncio.TaskGroup() as group,
        ):
            for worker in range(4):
                group.create_task(load(client, worker))
            while len(accepted) < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await asyncio.to_thread(postgres.restart, "immediate")
            before = len(accepted)
            while len(accepted) < before + 20:  # noqa: ASYNC110 -- it goes on by itself
                await asyncio.sleep(0.01)
            stop.set()
        connection = await asyncpg.connect(restartable.owner_dsn)
        stored = {row["email"] for row in await connection.fetch("SELECT email FROM auth.users")}
        await connection.close()
    assert set(accepted) <= stored, "what was answered with 201 is there"
    assert 201 in statuses


class Writers:
    """Clients that insert rows by REST, each under a number of its own, and read them again."""

    def __init__(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        self._client = client
        self._headers = headers
        self._numbers = count()
        self.accepted: list[int] = []
        self.refused = 0
        self.stopped = False

    async def write(self) -> None:
        while not self.stopped:
            number = next(self._numbers)
            stored = await self._ask("POST", "/api/v1/tables/written", json={"number": number})
            if stored is None:
                continue
            self.accepted.append(number)
            read = await self._ask("GET", f"/api/v1/tables/written?select=number&number=eq.{number}")
            assert read is None or read.json() == [{"number": number}]

    async def _ask(self, method: str, path: str, **request) -> httpx.Response | None:
        """The answer; None when it was a clear 503."""
        answer = await self._client.request(method, path, headers=self._headers, **request)
        if answer.is_success:
            return answer
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json().keys() == {"error", "code", "message", "request_id"}
        assert answer.json()["error"] == "service_unavailable"
        self.refused += 1
        await asyncio.sleep(0.01)
        return None

    async def more_accepted(self) -> None:
        await until_more(lambda: len(self.accepted))

    async def more_refused(self) -> None:
        await until_more(lambda: self.refused)


async def until_more(counted: Callable[[], int], more: int = 20) -> None:
    before = counted()
    async with asyncio.timeout(30):
        while counted() < before + more:  # noqa: ASYNC110 -- it goes on by itself
            await asyncio.sleep(0.01)


_TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid != pg_backend_pid()
"""


async def test_rest_while_postgresql_stops_crashes_and_loses_its_backends(settings, postgres, restartable):
    owner = await asyncpg.connect(restartable.owner_dsn)
    await owner.execute("CREATE TABLE written (id bigint GENERATED ALWAYS AS IDENTITY, number int, owner uuid)")
    await owner.execute("SELECT rest.expose('written', 'owner')")
    await owner.close()
    async with (
        open_resources(restartable, application_name="tests", max_connections=6) as resources,
        client_for(make_app(settings, resources)) as client,
    ):
        signed_up = await client.post("/api/v1/auth/signup", json={"email": "rest@example.com", "password": PASSWORD})
        client.cookies.clear()
        writers = Writers(client, bearer(signed_up.json()))
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(writers.write())
            await writers.more_accepted()
            for mode in ("fast", "immediate"):
                await asyncio.to_thread(postgres.stop, mode)
                await writers.more_refused()
                await asyncio.to_thread(postgres.start)
                await writers.more_accepted()
            owner = await asyncpg.connect(restartable.owner_dsn)
            for _ in range(5):
                await owner.execute(_TERMINATE)
                await writers.more_accepted()
            writers.stopped = True
    stored = [row["number"] for row in await owner.fetch("SELECT number FROM written")]
    await owner.close()
    assert set(writers.accepted) <= set(stored), "what was answered with 201 is there"
    assert len(stored) == len(set(stored)), "and nothing twice"

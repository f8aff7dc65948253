"""Production with an address that owns nothing: it tells whether migrations are missing, and needs nobody else's."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from flakeguard.settings import FlakeGuardSettings
from fluxbase.db import versions
from fluxbase.db.migrate import migrate
from fluxbase.db.versions import may_migrate, missing_migrations
from fluxbase.embedded.ports import free_port
from fluxbase.errors import ConfigurationError
from fluxbase.resources import Addresses
from fluxbase.servers import reach_servers

from ..conftest import SECRET

pytestmark = pytest.mark.pg16

type Owner = asyncpg.Connection[asyncpg.Record]


def production(addresses: Addresses, dsn: str, owner_dsn: str | None = None) -> FlakeGuardSettings:
    return FlakeGuardSettings(
        _env_file=None, environment="prod", database_url=dsn, database_owner_url=owner_dsn, jwt_secret=SECRET,
        redis_url=addresses.redis_url, public_url="https://flakeguard.example.com",
    )  # fmt: skip


async def reached(settings: FlakeGuardSettings) -> tuple[Addresses, list[str]]:
    def reach() -> tuple[Addresses, list[str]]:
        said: list[str] = []
        with reach_servers(settings, "flakeguard", said.append) as found:
            return found, said

    return await asyncio.to_thread(reach)


@pytest.fixture
async def stranger_dsn(addresses: Addresses, owner: Owner) -> AsyncIterator[str]:
    """A role that signs in and may become nobody."""
    name = f"stranger_{secrets.token_hex(4)}"
    await owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    yield f"postgresql://{name}:x@{addresses.runtime_dsn.rpartition('@')[2]}"
    await owner.execute(f"DROP ROLE {name}")


async def test_the_runtimes_address_alone_is_enough_when_nothing_is_missing(addresses: Addresses) -> None:
    found, said = await reached(production(addresses, addresses.runtime_dsn))
    assert (found.owner_dsn, found.runtime_dsn) == (None, addresses.runtime_dsn)
    assert said == []


async def test_the_owners_address_alone_makes_the_runtimes(addresses: Addresses) -> None:
    found, said = await reached(production(addresses, addresses.owner_dsn))
    assert (found.owner_dsn, found.runtime_dsn) == (addresses.owner_dsn, addresses.runtime_dsn)
    assert "fluxbase_runtime" in said[0]


async def test_with_two_addresses_the_owners_is_not_used(addresses: Addresses) -> None:
    nowhere = "postgresql://owner:x@127.0.0.1:1/flakeguard"
    found, _ = await reached(production(addresses, addresses.runtime_dsn, nowhere))
    assert (found.owner_dsn, found.runtime_dsn) == (nowhere, addresses.runtime_dsn)


@pytest.mark.parametrize("table", ["schema_migrations", "auth.fluxbase_migrations"])
async def test_what_is_missing_is_named_with_what_to_do(addresses: Addresses, owner: Owner, table: str) -> None:
    await owner.execute(f"DELETE FROM {table}")
    for environment in ("prod", "dev"):  # nobody told the owner's address: dev cannot migrate either
        settings = production(addresses, addresses.runtime_dsn).model_copy(update={"environment": environment})
        with pytest.raises(
            ConfigurationError, match=r"lacks the migration \w+/\d{4}_.*`flakeguard db migrate`.*owner's"
        ):
            await reached(settings)


async def test_a_database_without_any_schema_is_told_too(addresses: Addresses, owner: Owner) -> None:
    name = f"empty_{secrets.token_hex(4)}"
    await owner.execute(f"CREATE DATABASE {name}")
    try:
        dsn = f"{addresses.runtime_dsn.rpartition('/')[0]}/{name}"
        with pytest.raises(ConfigurationError, match="`flakeguard db migrate`"):
            await reached(production(addresses, dsn))
    finally:
        await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_postgresql_that_is_too_old_is_refused(addresses: Addresses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "OLDEST_POSTGRESQL", 99)
    with pytest.raises(ConfigurationError, match="too old: 99 or newer"):
        await reached(production(addresses, addresses.runtime_dsn))
    assert addresses.owner_dsn is not None
    with pytest.raises(ConfigurationError, match="too old"):
        await asyncio.to_thread(migrate, addresses.owner_dsn)


@pytest.mark.parametrize(
    "wrong", ["redis://:wrong@{host}/0", "redis://{secret}@{host}/9999", "http://{host}"],
    ids=["password", "database", "scheme"],
)  # fmt: skip
async def test_a_redis_that_refuses_is_a_mistake_and_said(addresses: Addresses, wrong: str) -> None:
    secret, _, host = addresses.redis_url.removeprefix("redis://").partition("/")[0].rpartition("@")
    settings = production(addresses, addresses.runtime_dsn)
    told = settings.model_copy(update={"redis_url": SecretStr(wrong.format(secret=secret, host=host))})
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        await reached(told)


async def test_a_redis_that_does_not_answer_is_waited_for(addresses: Addresses) -> None:
    settings = production(addresses, addresses.runtime_dsn)
    found, _ = await reached(settings.model_copy(update={"redis_url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")}))
    assert found.runtime_dsn == addresses.runtime_dsn


async def test_a_newer_database_is_refused(addresses: Addresses, owner: Owner) -> None:
    await owner.execute("UPDATE schema_migrations SET version_num = '9999_from_the_future'")
    with pytest.raises(ConfigurationError, match="newer FlakeGuard"):
        await reached(production(addresses, addresses.runtime_dsn))


async def test_a_role_that_may_become_nobody_is_told_what_it_lacks(addresses: Addresses, stranger_dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="GRANT anon, authenticated, service_role TO stranger_"):
        await reached(production(addresses, stranger_dsn))


async def test_only_the_owner_migrates(addresses: Addresses) -> None:
    assert await asyncio.to_thread(may_migrate, addresses.owner_dsn)
    with pytest.raises(ConfigurationError, match="FG_DATABASE_OWNER_DSN"):
        await asyncio.to_thread(migrate, addresses.runtime_dsn)
    with pytest.raises(ConfigurationError, match=r"`fluxbase migrate`.*FLUXBASE_DATABASE_OWNER_URL"):
        await asyncio.to_thread(migrate, addresses.runtime_dsn, "fluxbase")


async def test_migrating_lets_the_runtime_read_the_versions_again(addresses: Addresses, owner: Owner) -> None:
    await owner.execute("REVOKE ALL ON schema_migrations, auth.fluxbase_migrations FROM service_role")
    with pytest.raises(ConfigurationError, match="`flakeguard db migrate`"):
        await asyncio.to_thread(missing_migrations, addresses.runtime_dsn)
    await asyncio.to_thread(migrate, addresses.owner_dsn)
    assert await asyncio.to_thread(missing_migrations, addresses.runtime_dsn) is None


async def test_an_owner_without_an_everyday_address_is_refused(settings: FlakeGuardSettings) -> None:
    lonely = settings.model_copy(update={"database_owner_url": SecretStr("postgresql://owner:x@127.0.0.1:1/x")})
    with pytest.raises(ConfigurationError, match="set DATABASE_URL too"):
        await reached(lonely)


@contextmanager
def role(addresses: Addresses, tmp_path: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FG_", "FLUXBASE_"))}
    environment |= {
        "FG_ENV": "prod", "DATABASE_URL": addresses.runtime_dsn, "REDIS_URL": addresses.redis_url,
        "FG_JWT_SECRET": SECRET, "FG_PUBLIC_URL": "https://flakeguard.example.com",
    }  # fmt: skip
    environment["METRICS_PORT"] = str(free_port())  # in production a port that is busy is not moved aside
    command = [sys.executable, "-m", "flakeguard", *arguments]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("arguments", [("serve", "api"), ("worker",)])
async def test_api_and_worker_start_with_it(addresses: Addresses, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    port = free_port()
    with role(addresses, tmp_path, *arguments, "--port", str(port)) as process:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
            while process.poll() is None:
                try:
                    answer = await client.get(f"http://127.0.0.1:{port}/health")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.1)
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert answer.status_code == 200

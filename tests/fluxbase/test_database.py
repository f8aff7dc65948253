"""Transactions as a role with claims; queries from files; migrations."""

import asyncio
import os
import secrets
import sys
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from fluxbase.db import ANONYMOUS, SERVICE, Claims, Database, Queries, Work
from fluxbase.db.migrate import migrate
from fluxbase.db.versions import missing_migrations
from fluxbase.resources import Addresses, Resources

pytestmark = pytest.mark.pg16

ROOT = Path(__file__).parents[2]
NOBODY = "00000000-0000-4000-8000-000000000000"


async def test_a_transaction_runs_as_its_role_and_leaves_nothing_behind(resources: Resources) -> None:
    async with resources.database.transaction(Claims("authenticated", NOBODY, {"project_id": 7})) as connection:
        assert await connection.fetchval("SELECT current_user") == "authenticated"
        assert str(await connection.fetchval("SELECT auth.uid()")) == NOBODY
        assert await connection.fetchval("SELECT auth.jwt() ->> 'project_id'") == "7"
    connection = await resources.database.pool.acquire()
    assert await connection.fetchval("SELECT current_user") == "fluxbase_runtime"
    assert not await connection.fetchval("SELECT current_setting('request.jwt.claims', true)")
    resources.database.pool.release(connection)


async def test_a_transaction_that_raises_writes_nothing(resources: Resources) -> None:
    async def breaks() -> None:
        async with resources.database.transaction() as connection:
            await connection.execute("INSERT INTO organizations (name, slug) VALUES ('a', 'aaa')")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await breaks()
    async with resources.database.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM organizations") == 0


async def test_the_runtime_role_owns_nothing(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    owned = await owner.fetchval(
        "SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE r.rolname = 'fluxbase_runtime'"
    )
    assert owned == 0
    assert not await owner.fetchval("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = 'fluxbase_runtime'")


async def test_anonymous_sees_no_table_of_ours(resources: Resources) -> None:
    async with resources.database.transaction(ANONYMOUS) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT * FROM projects")


async def test_migrating_again_changes_nothing_and_the_runbook_reads_the_version(
    addresses: Addresses, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await asyncio.to_thread(migrate, addresses.owner_dsn)
    version = await owner.fetchval("SELECT version FROM schema_migrations ORDER BY version DESC LIMIT 1")
    assert version == max(path.stem for path in (ROOT / "migrations/flakeguard/versions").glob("*.py"))
    await owner.execute("REINDEX INDEX idx_flake_events_created_at")
    await owner.execute("DELETE FROM flake_events WHERE created_at < NOW() - INTERVAL '180 days'")


async def alembic(dsn: str, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "alembic", *arguments, cwd=ROOT, env=os.environ | {"FG_DATABASE_OWNER_DSN": dsn},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_alembic_by_hand_brings_both_histories_to_their_heads(
    addresses: Addresses, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    name = f"by_hand_{secrets.token_hex(4)}"
    await owner.execute(f"CREATE DATABASE {name}")
    dsn = f"{addresses.owner_dsn.rpartition('/')[0]}/{name}"
    try:
        assert "head" not in await alembic(dsn, "current")
        assert await asyncio.to_thread(missing_migrations, dsn)
        await alembic(dsn, "upgrade", "head")
        assert await asyncio.to_thread(missing_migrations, dsn) is None
        assert "(head)" in await alembic(dsn, "current")
    finally:
        await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_service_role_sees_all(resources: Resources) -> None:
    async with resources.database.transaction(SERVICE) as connection:
        assert await connection.fetchval("SELECT count(*) FROM auth.users") == 0


def test_queries_are_found_by_name() -> None:
    queries = Queries("here", "-- name: one\nSELECT 1\n-- name: two\nSELECT 2;\n")
    assert queries["two"] == "SELECT 2;"
    assert dict(queries.items()) == {"one": "SELECT 1", "two": "SELECT 2;"}
    with pytest.raises(KeyError, match="three"):
        queries["three"]
    with pytest.raises(ValueError, match="twice"):
        Queries("here", "-- name: one\nSELECT 1\n-- name: one\nSELECT 2")


async def test_a_connection_whose_statements_were_dropped_is_replaced(
    addresses: Addresses, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await owner.execute(
        "CREATE FUNCTION forget() RETURNS text LANGUAGE plpgsql AS 'BEGIN DEALLOCATE ALL; RETURN 1; END'"
    )
    database = await Database.open(addresses.runtime_dsn, max_connections=1)
    asked = Work("SELECT '1', 1::bigint, 1::bigint", (), timedelta(seconds=5), 10, plan_of="anybody")
    called = Work("SELECT forget(), 1::bigint, 1::bigint", (), timedelta(seconds=5), 10, foreign_code=True)
    for _ in range(3):
        await database.run(ANONYMOUS, asked)
    await database.run(ANONYMOUS, called)
    with pytest.raises(asyncpg.InvalidSQLStatementNameError):
        await database.run(ANONYMOUS, asked)
    for _ in range(3):
        assert (await database.run(ANONYMOUS, asked))["body"] == "1"
    await asyncio.wait_for(database.close(), 5)

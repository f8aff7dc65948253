"""Migrations: two linear histories of plain SQL, run by Alembic under one advisory lock.

`fluxbase` keeps its version in `auth.fluxbase_migrations`; an application's history keeps its own in
`schema_migrations`, whose generated column `version` is what the runbook selects.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command, context, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from fluxbase.errors import ConfigurationError

_LOCK = 0x666C7578  # "flux": one migration at a time, whoever starts first
_OWNER_VARIABLES = ("FG_DATABASE_OWNER_DSN", "DATABASE_OWNER_URL", "FG_DATABASE_DSN", "DATABASE_URL")
_VERSION_TABLES = {"fluxbase": ("auth", "fluxbase_migrations"), "flakeguard": ("public", "schema_migrations")}


def migrations_folder() -> Path:
    """Where the histories lie: inside the installed package, or at the root of a checkout."""
    packed = Path(__file__).parent.parent / "_migrations"
    return packed if packed.is_dir() else Path(__file__).parents[3] / "migrations"


def migrate(owner_dsn: str, history: str = "flakeguard") -> None:
    """Bring `history` to its head, Fluxbase's own first. Safe to call from many processes at once.

    Raises:
        ConfigurationError: The database is newer than this program.
        asyncpg.PostgresError: A statement failed; its history is left as it was before that migration.
    """
    asyncio.run(_migrate_under_lock(owner_dsn, history))


def missing_migrations(owner_dsn: str, history: str = "flakeguard") -> str | None:
    """The newest migration of `history` (or of Fluxbase's own) that the database lacks; None when it has all."""
    for name in dict.fromkeys(("fluxbase", history)):
        head = ScriptDirectory(str(migrations_folder() / name)).get_current_head()
        if head != asyncio.run(_current(owner_dsn, ".".join(_VERSION_TABLES[name]))):
            return f"{name}/{head}"
    return None


async def _current(owner_dsn: str, table: str) -> str | None:
    connection = await asyncpg.connect(owner_dsn)
    try:
        if await connection.fetchval("SELECT to_regclass($1)", table) is None:
            return None
        return await connection.fetchval(f"SELECT max(version) FROM {table}")  # noqa: S608 -- our own names
    finally:
        await connection.close()


async def _migrate_under_lock(owner_dsn: str, history: str) -> None:
    connection = await asyncpg.connect(owner_dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        for name in dict.fromkeys(("fluxbase", history)):
            await asyncio.to_thread(_upgrade, owner_dsn, name)
    finally:
        await connection.close()


def _upgrade(owner_dsn: str, history: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder() / history))
    config.attributes["owner_dsn"] = owner_dsn
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigurationError(
            f"the database's {history} schema is not one this version knows ({error}); "
            "was it migrated by a newer FlakeGuard?"
        ) from error


def run_alembic_environment() -> None:
    """What every history's env.py calls: connect as the owner and run the migrations asked for."""
    config = context.config
    history = Path(config.get_main_option("script_location") or "").name
    dsn = config.attributes.get("owner_dsn")
    if dsn is None:  # called as `alembic …`, not by `migrate`
        dsn = _dsn_from_environment()
        if history != "fluxbase":
            _upgrade(dsn, "fluxbase")
    asyncio.run(_run_online(dsn, history))


def _dsn_from_environment() -> str:
    for variable in _OWNER_VARIABLES:
        if os.environ.get(variable):
            return os.environ[variable]
    raise ConfigurationError("set DATABASE_URL (or FG_DATABASE_DSN) to the database that alembic should migrate")


async def _run_online(dsn: str, history: str) -> None:
    schema, table = _VERSION_TABLES[history]
    # SQLAlchemy only carries Alembic; asyncpg makes the connection itself, so the address means the same everywhere.
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn), poolclass=pool.NullPool
    )
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: _run(sync, schema, table))
        await connection.commit()
    await engine.dispose()


def _run(connection: Connection, schema: str, table: str) -> None:
    connection.execute(text("SET lock_timeout = '10s'"))
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    connection.execute(
        text(
            f"CREATE TABLE IF NOT EXISTS {schema}.{table} (version_num varchar(64) NOT NULL PRIMARY KEY,"
            " version text GENERATED ALWAYS AS (version_num) STORED)"
        )
    )
    context.configure(connection=connection, version_table=table, version_table_schema=schema)
    with context.begin_transaction():
        context.run_migrations()


def run_sql_beside(migration_file: str) -> None:
    """Run the .sql file that lies beside a migration, whole, in the migration's transaction."""
    sql = Path(migration_file).with_suffix(".sql").read_text(encoding="utf-8")
    run: Callable[[Callable[[Any], Any]], Any] = op.get_bind().connection.dbapi_connection.run_async  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportAttributeAccessIssue, reportOptionalMemberAccess] -- SQLAlchemy does not type its adapted driver connection
    op.execute("SELECT 1")  # SQLAlchemy begins lazily; the SQL below must be inside the transaction
    run(lambda driver: driver.execute(sql))

"""Migrations: two linear histories of plain SQL, run by Alembic under one advisory lock.

`fluxbase` keeps its version in `auth.fluxbase_migrations`; an application's history keeps its own in
`schema_migrations`, whose generated column `version` is what the runbook selects.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command, context, op
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from fluxbase.db.versions import (
    READER,
    VERSION_TABLES,
    how_to_migrate,
    may_migrate,
    migrations_folder,
    newer_than_us,
)
from fluxbase.errors import ConfigurationError

_LOCK = 0x666C7578  # "flux": one migration at a time, whoever starts first
_READER_LACKS = "SELECT 1 FROM pg_roles WHERE rolname = :reader AND NOT has_table_privilege(oid, :table, 'SELECT')"
_OWNER_VARIABLES = ("FG_DATABASE_OWNER_DSN", "DATABASE_OWNER_URL", "FG_DATABASE_DSN", "DATABASE_URL")


def migrate(owner_dsn: str, history: str = "flakeguard") -> None:
    """Bring `history` to its head, Fluxbase's own first. Safe to call from many processes at once.

    Raises:
        ConfigurationError: The database is newer than this program, or the address is not the owner's.
        asyncpg.PostgresError: A statement failed; its history is left as it was before that migration.
    """
    if not may_migrate(owner_dsn, history):
        raise ConfigurationError(
            f"the database address is not the owner's, who alone may migrate: run {how_to_migrate(history)}"
        )
    asyncio.run(_migrate_under_lock(owner_dsn, history))


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
        raise newer_than_us(history, error) from error


def run_alembic_environment() -> None:
    """What every history's env.py calls: connect as the owner and run the migrations asked for."""
    config = context.config
    history = Path(config.get_main_option("script_location") or "").name
    dsn = config.attributes.get("owner_dsn")
    if dsn is None:  # called as `alembic …`, not by `migrate`
        dsn = _dsn_from_environment()
        if history != "fluxbase" and _upgrades(config):
            # Alembic keeps its context in a module: a migration within another would end with that one's context gone.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as beside:
                beside.submit(_upgrade, dsn, "fluxbase").result()
    asyncio.run(_run_online(dsn, history))


def _upgrades(config: Config) -> bool:
    """Whether the command line asked for an upgrade; `alembic current` and the like change nothing."""
    called: tuple[Any, ...] = getattr(config.cmd_opts, "cmd", (None,))
    return called[0] is command.upgrade


def _dsn_from_environment() -> str:
    for variable in _OWNER_VARIABLES:
        if os.environ.get(variable):
            return os.environ[variable]
    raise ConfigurationError("set DATABASE_URL (or FG_DATABASE_DSN) to the database that alembic should migrate")


async def _run_online(dsn: str, history: str) -> None:
    schema, table = VERSION_TABLES[history]
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
    # A runtime that owns nothing must be able to tell whether migrations are missing.
    if connection.scalar(text(_READER_LACKS), {"reader": READER, "table": f"{schema}.{table}"}):
        connection.execute(text(f"GRANT SELECT ON {schema}.{table} TO {READER}"))


def run_sql_beside(migration_file: str) -> None:
    """Run the .sql file that lies beside a migration, whole, in the migration's transaction."""
    sql = Path(migration_file).with_suffix(".sql").read_text(encoding="utf-8")
    run: Callable[[Callable[[Any], Any]], Any] = op.get_bind().connection.dbapi_connection.run_async  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportAttributeAccessIssue, reportOptionalMemberAccess] -- SQLAlchemy does not type its adapted driver connection
    op.execute("SELECT 1")  # SQLAlchemy begins lazily; the SQL below must be inside the transaction
    run(lambda driver: driver.execute(sql))

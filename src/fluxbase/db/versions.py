"""Which migrations a database has, asked as whoever the address signs in as: the owner, or a runtime owning nothing."""

import asyncio
from functools import lru_cache
from pathlib import Path

import asyncpg
from alembic.script import ScriptDirectory

from fluxbase.db.database import Connection
from fluxbase.errors import ConfigurationError

VERSION_TABLES = {"fluxbase": ("auth", "fluxbase_migrations"), "flakeguard": ("public", "schema_migrations")}
_COMMANDS = {"fluxbase": "fluxbase migrate", "flakeguard": "flakeguard db migrate"}
_ADDRESSES = {
    "fluxbase": ("FLUXBASE_DATABASE_OWNER_URL", "FLUXBASE_DATABASE_URL"),
    "flakeguard": ("FG_DATABASE_OWNER_DSN", "FG_DATABASE_DSN"),
}
OLDEST_POSTGRESQL = 16
READER = "service_role"
"""May read the version tables (`run_alembic_environment` sees to it); every runtime role may become it."""

# By the catalogues, which everybody may read: a name that is looked up in a schema one may not use is an error.
_FIND = """
SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
       pg_has_role(c.relowner, 'USAGE') AS owned
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
"""
_MAY_BEGIN = "SELECT has_database_privilege(current_database(), 'CREATE')"


def migrations_folder() -> Path:
    """Where the histories lie: inside the installed package, or at the root of a checkout."""
    packed = Path(__file__).parent.parent / "_migrations"
    return packed if packed.is_dir() else Path(__file__).parents[3] / "migrations"


def how_to_migrate(history: str) -> str:
    """The command, and the variables that tell it the owner's address."""
    owner, everyday = _ADDRESSES[history]
    return f"`{_COMMANDS[history]}` with the owner's address ({owner}, or {everyday} where one address is enough)"


def missing_migrations(dsn: str, history: str = "flakeguard") -> str | None:
    """The newest migration of `history` (or of Fluxbase's own) that the database lacks; None when it has all.

    Raises:
        ConfigurationError: The database is newer than this program, PostgreSQL is too old, or the address' role may not
            know.
    """
    for name in dict.fromkeys(("fluxbase", history)):
        scripts = ScriptDirectory(str(migrations_folder() / name))
        current, head = asyncio.run(_current(dsn, name, how_to_migrate(history))), scripts.get_current_head()
        if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
            raise newer_than_us(name, current)
        if current != head:
            return f"{name}/{head}"
    return None


async def is_at_head(connection: Connection, history: str = "flakeguard") -> bool:
    """Whether the database is exactly what this program knows; asked as the service."""
    for name in dict.fromkeys(("fluxbase", history)):
        schema, table = VERSION_TABLES[name]
        version = await connection.fetchval(f"SELECT max(version) FROM {schema}.{table}")  # noqa: S608 -- our own names
        if version != await asyncio.to_thread(_head, name):
            return False
    return True


@lru_cache
def _head(history: str) -> str | None:
    return ScriptDirectory(str(migrations_folder() / history)).get_current_head()


def newer_than_us(history: str, told: object) -> ConfigurationError:
    """The error for a schema that only a later version knows."""
    return ConfigurationError(
        f"the database's {history} schema is not one this version knows ({told}); "
        "was it migrated by a newer FlakeGuard?"
    )


def may_migrate(dsn: str, history: str = "flakeguard") -> bool:
    """Whether the address is the owner's: of the schema, or of a database that has none yet.

    Raises:
        ConfigurationError: PostgreSQL is too old.
    """
    return asyncio.run(_may_migrate(dsn, history))


def _refuse_old(connection: Connection) -> None:
    major = connection.get_server_version().major
    if major < OLDEST_POSTGRESQL:
        raise ConfigurationError(
            f"the database is PostgreSQL {major}, which is too old: {OLDEST_POSTGRESQL} or newer is needed"
        )


async def _may_migrate(dsn: str, history: str) -> bool:
    connection = await asyncpg.connect(dsn)
    try:
        _refuse_old(connection)
        for name in dict.fromkeys(("fluxbase", history)):
            found = await connection.fetchrow(_FIND, *VERSION_TABLES[name])
            if found is not None:
                return found["owned"]
        return await connection.fetchval(_MAY_BEGIN)
    finally:
        await connection.close()


async def _current(dsn: str, history: str, how: str) -> str | None:
    schema, table = VERSION_TABLES[history]
    connection = await asyncpg.connect(dsn)
    try:
        _refuse_old(connection)
        found = await connection.fetchrow(_FIND, schema, table)
        if found is None:
            return None
        async with connection.transaction():
            if not found["readable"]:
                await connection.execute(f"SET LOCAL ROLE {READER}")
            return await connection.fetchval(f"SELECT max(version) FROM {schema}.{table}")  # noqa: S608 -- our own names
    except asyncpg.InsufficientPrivilegeError as error:
        role = connection.get_settings().session_authorization
        raise ConfigurationError(
            f"the role {role} may not know which migrations the database has ({error}): run {how}, "
            f"and as the owner `GRANT anon, authenticated, service_role TO {role}`"
        ) from error
    finally:
        await connection.close()

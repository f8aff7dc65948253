"""The catalog, read from the database once and again whenever it changed."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI

from fluxbase.db import Connection, Database, load
from fluxbase.db.listener import Listener
from fluxbase.repeating import beside, repeat
from fluxbase.rest.catalog import Argument, Catalog, Column, ForeignKey, Function, Table

SQL = load(__package__)
CHANNEL = "fluxbase_catalog"
# rest.run becomes any role that the login may be: as a function to call it would be the end of all policies.
_NEVER_EXPOSED = frozenset(("rest", "information_schema"))
_LOOK_SECONDS = 2.0  # between looks, where no event trigger tells of changes
_AGAIN_SECONDS = 1.0  # an unknown name makes us look again, but not more often than this


class CatalogCache:
    """The catalog of one process."""

    def __init__(self, database: Database, schemas: tuple[str, ...]) -> None:
        self._database = database
        self._schemas = schemas
        self._catalog: Catalog | None = None
        self._read_at = 0.0
        self._generation = 0
        self._fingerprint: str | None = None
        self._lock = asyncio.Lock()

    async def current(self) -> Catalog:
        """The catalog, read now when it is not known or has changed.

        Raises:
            OSError, asyncpg.PostgresError: The database does not answer.
        """
        return self._catalog if self._catalog is not None else await self._read()

    async def newer(self) -> Catalog | None:
        """The catalog read again, for a name that it lacks; None when it was read just now.

        Everybody else goes on with the old one meanwhile: made-up names must not make them wait.
        """
        if time.monotonic() - self._read_at < _AGAIN_SECONDS:
            return None
        return await self._read(since=self._catalog)

    def forget(self) -> None:
        """Something changed: the next request reads the catalog."""
        self._generation += 1
        self._catalog = None

    async def _read(self, since: Catalog | None = None) -> Catalog:
        """Read the catalog, unless one other than `since` was read while we waited for our turn."""
        async with self._lock:
            if self._catalog is not None and self._catalog is not since:
                return self._catalog
            generation = self._generation
            async with self._database.transaction() as connection:
                catalog = await read_catalog(connection, self._schemas)
            self._read_at = time.monotonic()
            if generation == self._generation:
                self._catalog = catalog
            return catalog

    async def look(self) -> None:
        """Compare a fingerprint of the database's catalog with that of the last look."""
        async with self._database.transaction() as connection:
            found: str = await connection.fetchval(SQL["fingerprint"])
        if found != self._fingerprint:
            self.forget()
        self._fingerprint = found


def exposable(schemas: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `schemas` that may be exposed at all: not PostgreSQL's own, nor the one this room works with."""
    return tuple(name for name in schemas if name not in _NEVER_EXPOSED and not name.startswith("pg_"))


def catalog_of(app: FastAPI) -> CatalogCache:
    """The catalog of an application, made when first asked for; `app.state.resources` must be open."""
    state = app.state
    resources = state.resources
    cache: CatalogCache | None = getattr(state, "rest_catalog", None)
    if cache is None:
        cache = state.rest_catalog = CatalogCache(resources.database, exposable(state.settings.rest_exposed_schemas))
    return cache


@asynccontextmanager
async def watching_catalog(app: FastAPI) -> AsyncGenerator[None]:
    """Hear of changed tables as long as the block lasts: by NOTIFY, or by looking where nothing notifies."""
    cache = catalog_of(app)
    database: Database = app.state.resources.database
    async with database.transaction() as connection:
        announced: bool = await connection.fetchval(SQL["announces_changes"])
    if announced:
        listening = Listener(app.state.resources.addresses.runtime_dsn, CHANNEL, lambda _payload: cache.forget()).run()
    else:
        listening = repeat("looking at the catalog", cache.look, every_seconds=_LOOK_SECONDS)
    async with beside(listening, name="REST catalog"):
        yield


async def read_catalog(connection: Connection, schemas: tuple[str, ...]) -> Catalog:
    """Everything that `schemas` have, and extensions did not bring."""
    # Names of types outside of pg_catalog must come with their schema, whatever path a later statement has.
    await connection.execute("SET LOCAL search_path = pg_catalog")
    tables = [_table(row) for row in await connection.fetch(SQL["tables"], schemas)]
    functions: dict[tuple[str, str], tuple[Function, ...]] = {}
    for row in await connection.fetch(SQL["functions"], schemas):
        key = (row["schema"], row["name"])
        functions[key] = (*functions.get(key, ()), _function(row))
    return Catalog(schemas, {(table.schema, table.name): table for table in tables}, functions)


def _table(row: "asyncpg.Record") -> Table:
    keys: list[dict[str, Any]] = row["keys"] or []
    grants: dict[str, list[str]] = row["grants"] or {}
    return Table(
        schema=row["schema"],
        name=row["name"],
        kind=row["kind"],
        columns=tuple(
            Column(**(column | {"values": tuple(column["values"] or ())})) for column in row["columns"] or ()
        ),
        primary_key=next((tuple(key["columns"]) for key in keys if key["primary"]), ()),
        unique_keys=tuple(frozenset(key["columns"]) for key in keys),
        foreign_keys=tuple(
            ForeignKey(key["name"], tuple(key["columns"]), tuple(key["target"]), tuple(key["target_columns"]))
            for key in row["foreign_keys"] or ()
        ),
        guarded=bool(row["guarded"]),
        grants={role: frozenset(privileges) for role, privileges in grants.items()},
        plan_keeps=row["plan_keeps"],
        comment=row["comment"],
    )


def _function(row: "asyncpg.Record") -> Function:
    return Function(
        schema=row["schema"],
        name=row["name"],
        arguments=tuple(Argument(**argument) for argument in row["arguments"] or ()),
        returns_set=row["returns_set"],
        returns_row=row["returns_row"],
        returns_void=row["returns_void"],
        read_only=row["read_only"],
        roles=frozenset(row["roles"] or ()),
        comment=row["comment"],
    )

"""Service keys in the database. Takes the connection, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from fluxbase.db import Connection, aware, load
from fluxbase.service_keys.errors import ServiceKeyNotFoundError
from fluxbase.service_keys.form import NewKey
from fluxbase.service_keys.model import Revocation, ServiceKey

_SQL = load(__package__)

# A key in use is written to at most this often: reading must not mean writing.
TOUCH_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operator says of a key."""

    name: str
    scopes: Sequence[str]
    rate_limit_per_minute: int | None = None
    rate_limit_per_hour: int | None = None
    expires_at: datetime | None = None


async def find_by_prefix(connection: Connection, prefix: str) -> tuple[ServiceKey, bytes] | None:
    """The key of a prefix with its digest."""
    row = await connection.fetchrow(_SQL["find_by_prefix"], prefix)
    return None if row is None else (_key(row), row["key_hash"])


async def touch(connection: Connection, key: ServiceKey, now: datetime) -> None:
    """Note that the key is used, at most once a minute."""
    stale = now - TOUCH_EVERY
    if key.last_used_at is None or key.last_used_at <= stale:
        await connection.execute(_SQL["touch"], key.id, now, stale)


async def find(connection: Connection, key_id: UUID, *, lock: bool = False) -> ServiceKey:
    """One key; `lock` keeps others from changing it until the transaction ends.

    Raises:
        ServiceKeyNotFoundError: 404.
    """
    row = await connection.fetchrow(_SQL["lock"] if lock else _SQL["find"], key_id)
    if row is None:
        raise ServiceKeyNotFoundError
    return _key(row)


async def list_keys(connection: Connection) -> list[ServiceKey]:
    """All keys, newest first."""
    return [_key(row) for row in await connection.fetch(_SQL["list_keys"])]


async def insert(connection: Connection, new: NewKey, wanted: Wanted, now: datetime) -> ServiceKey:
    """Store a new key's digest."""
    row = await connection.fetchrow(
        _SQL["insert"],
        wanted.name,
        new.prefix,
        new.digest,
        list(wanted.scopes),
        wanted.rate_limit_per_minute,
        wanted.rate_limit_per_hour,
        wanted.expires_at,
        now,
    )
    return _returned(row)


async def change(connection: Connection, key_id: UUID, wanted: Wanted, now: datetime) -> ServiceKey:
    """Replace what an operator says of a key."""
    row = await connection.fetchrow(
        _SQL["change"],
        key_id,
        wanted.name,
        list(wanted.scopes),
        wanted.rate_limit_per_minute,
        wanted.rate_limit_per_hour,
        wanted.expires_at,
        now,
    )
    return _returned(row)


async def set_enabled(connection: Connection, key_id: UUID, now: datetime, *, enabled: bool) -> ServiceKey:
    """Switch a key on or off."""
    return _returned(await connection.fetchrow(_SQL["set_enabled"], key_id, enabled, now))


async def revoke(connection: Connection, key_id: UUID, now: datetime) -> ServiceKey:
    """End a key for good."""
    return _returned(await connection.fetchrow(_SQL["revoke"], key_id, now))


async def deprecate(
    connection: Connection, key_id: UUID, now: datetime, *, ends_at: datetime, replaced_by: UUID | None = None
) -> ServiceKey:
    """Let a key work until `ends_at` and not longer."""
    return _returned(await connection.fetchrow(_SQL["deprecate"], key_id, now, ends_at, replaced_by))


async def delete(connection: Connection, key_id: UUID) -> None:
    """Forget a key."""
    await connection.execute(_SQL["delete"], key_id)


async def add_revocation(
    connection: Connection,
    key: ServiceKey,
    kind: str,
    *,
    reason: str | None,
    by: str,
    now: datetime,
    ends_at: datetime | None = None,
) -> None:
    """Note what ended a key, or will."""
    await connection.execute(_SQL["insert_revocation"], key.id, kind, reason, by, ends_at, now)


async def list_revocations(connection: Connection, key_id: UUID) -> list[Revocation]:
    """What ended a key, newest first."""
    return [Revocation(**dict(row)) for row in await connection.fetch(_SQL["list_revocations"], key_id)]


def _returned(row: asyncpg.Record | None) -> ServiceKey:
    if row is None:
        raise ServiceKeyNotFoundError
    return _key(row)


def _key(row: asyncpg.Record) -> ServiceKey:
    values: dict[str, Any] = {**row, "scopes": tuple(row["scopes"])}
    del values["key_hash"]
    values.update({name: aware(value) for name, value in row.items() if isinstance(value, datetime)})
    return ServiceKey(**values)

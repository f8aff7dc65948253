"""API keys of projects: made, listed, rotated, revoked; and the check that lets an upload in."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from flakeguard.projects import audit, keys, naming
from flakeguard.projects.access import Action, require_project
from flakeguard.projects.errors import ExpiredApiKeyError, InvalidApiKeyError, KeyRevokedError
from flakeguard.projects.model import ApiKey, Project, ProjectKey
from flakeguard.projects.repository import SQL
from fluxbase.auth import User
from fluxbase.db import Connection, Database
from fluxbase.errors import NotFoundError
from fluxbase.resources import utc_now

# A key in use is written to at most this often: uploads must not queue up behind one row.
TOUCH_EVERY = timedelta(minutes=1)
_LARGEST_ID = 2**63 - 1


async def create(
    database: Database,
    user: User,
    project_id: int,
    *,
    name: str,
    scopes: Sequence[str] = keys.DEFAULT_SCOPES,
    expires_in_days: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its token, which is shown here and never again.

    Raises:
        NotFoundError, PermissionDeniedError, InvalidNameError, InvalidScopeError, InvalidExpiryError: As they say.
    """
    name, granted, now = naming.clean_name(name), keys.check_scopes(scopes), utc_now()
    expires_at = keys.expiry(now, expires_in_days)
    async with database.transaction() as connection:
        project = await require_project(connection, user, project_id, Action.ADMINISTER)
        key, token = await _insert(connection, user, project, name=name, scopes=granted, now=now, expires_at=expires_at)
        await _audit(connection, user, project, "apikey.created", key)
    return key, token


async def _insert(
    connection: Connection,
    user: User,
    project: Project,
    *,
    name: str,
    scopes: Sequence[str],
    now: datetime,
    expires_at: datetime | None,
) -> tuple[ApiKey, str]:
    new = keys.generate()
    row = await connection.fetchrow(
        SQL["insert_key"], project.id, name, new.prefix, new.digest, list(scopes), user.id, now, expires_at
    )
    assert row is not None  # noqa: S101 -- INSERT … RETURNING gives a row or raises
    return _key(row), new.token


async def list_all(database: Database, user: User, project_id: int) -> list[ApiKey]:
    """All keys of a project, revoked ones last.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
    """
    async with database.transaction(user.claims) as connection:
        project = await require_project(connection, user, project_id, Action.ADMINISTER)
        return [_key(row) for row in await connection.fetch(SQL["list_keys"], project.id)]


async def revoke(database: Database, user: User, project_id: int, key_id: int) -> ApiKey:
    """End a key at once, for ever. Revoking a revoked key changes nothing.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
    """
    async with database.transaction() as connection:
        project = await require_project(connection, user, project_id, Action.ADMINISTER)
        before = await _find(connection, project, key_id)
        row = await connection.fetchrow(SQL["revoke_key"], project.id, key_id, utc_now())
        assert row is not None  # noqa: S101 -- found and locked just now
        if before.revoked_at is None:
            await _audit(connection, user, project, "apikey.revoked", before)
    return _key(row)


async def rotate(
    database: Database, user: User, project_id: int, key_id: int, *, grace_hours: int = 0
) -> tuple[ApiKey, str]:
    """A new key of the same name, scopes and lifetime in place of an old one.

    The old key is revoked at once, because whoever rotates may do so because it leaked; with `grace_hours` it
    works that much longer, for CI systems that take their time.

    Raises:
        NotFoundError, PermissionDeniedError, InvalidExpiryError: As they say.
        KeyRevokedError: 409.
    """
    now, longer = utc_now(), keys.grace(grace_hours)
    async with database.transaction() as connection:
        project = await require_project(connection, user, project_id, Action.ADMINISTER)
        old = await _find(connection, project, key_id)
        if old.revoked_at is not None:
            raise KeyRevokedError
        expires_at = now + (old.expires_at - old.created_at) if old.expires_at else None
        new, token = await _insert(
            connection, user, project, name=old.name, scopes=old.scopes, now=now, expires_at=expires_at
        )
        if longer:
            await connection.execute(SQL["expire_key"], project.id, key_id, now + longer)
        else:
            await connection.execute(SQL["revoke_key"], project.id, key_id, now)
        await _audit(connection, user, project, "apikey.rotated", new, replaces=old.prefix, grace_hours=grace_hours)
    return new, token


async def _find(connection: Connection, project: Project, key_id: int) -> ApiKey:
    row = await connection.fetchrow(SQL["find_key"], project.id, key_id) if 0 < key_id <= _LARGEST_ID else None
    if row is None:
        raise NotFoundError("There is no such API key in this project.")
    return _key(row)


async def _audit(
    connection: Connection, user: User, project: Project, action: str, key: ApiKey, **more: str | int
) -> None:
    await audit.record_by(
        connection,
        user,
        action,
        organization_id=project.organization_id,
        project_id=project.id,
        name=key.name,
        prefix=key.prefix,
        **more,
    )


async def authenticate_key(database: Database, authorization: str | None) -> ProjectKey:
    """The key in an `Authorization: Bearer fg_…` header, looked up each time so that a revocation holds at once.

    Raises:
        InvalidApiKeyError: 401, none, unknown or revoked.
        ExpiredApiKeyError: 401.
    """
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    prefix = keys.prefix_of(token) if scheme.lower() == "bearer" else None
    if prefix is None:
        raise InvalidApiKeyError
    now = utc_now()
    async with database.transaction() as connection:
        row = await connection.fetchrow(SQL["find_key_by_prefix"], prefix)
        if row is None or not keys.is_same(token, row["key_hash"]) or row["revoked_at"] is not None:
            raise InvalidApiKeyError
        if row["expires_at"] is not None and row["expires_at"] <= now:
            raise ExpiredApiKeyError
        if row["last_used_at"] is None or now - row["last_used_at"] >= TOUCH_EVERY:
            await connection.execute(SQL["touch_key"], row["id"], now)
    return _project_key(row)


def _key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(
        id=row["id"],
        project_id=row["project_id"],
        name=row["name"],
        prefix=row["prefix"],
        scopes=tuple(row["scopes"]),
        created_by=row["created_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )


def _project_key(row: asyncpg.Record) -> ProjectKey:
    project = Project(
        id=row["project_id"],
        organization_id=row["organization_id"],
        organization_slug=row["organization_slug"],
        name=row["project_name"],
        slug=row["project_slug"],
        default_branch=row["default_branch"],
        created_at=row["project_created_at"],
    )
    return ProjectKey(row["id"], row["name"], row["prefix"], tuple(row["scopes"]), project)

"""Accounts, sessions and the audit trail in the database. Takes the connection, never commits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from fluxbase.auth.model import User
from fluxbase.db import Connection, load

_SQL = load(__package__ or "")

# A session in use is written to at most this often: reading pages must not mean writing rows.
TOUCH_EVERY = timedelta(minutes=1)
_LONGEST_USER_AGENT = 300


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sign-in compares with; `password_hash` is None for accounts that have no password."""

    user_id: UUID
    password_hash: str | None


async def no_account_yet(connection: Connection) -> bool:
    """Whether nobody has signed up; holds a lock until the transaction ends, so that only one becomes the first."""
    await connection.execute(_SQL["lock_first_account"])
    return not await connection.fetchval(_SQL["any_user"])


async def has_accounts(connection: Connection) -> bool:
    """Whether anybody has signed up."""
    return await connection.fetchval(_SQL["any_user"])


async def add_user(
    connection: Connection, *, email: str, password_hash: str, user_metadata: Mapping[str, Any]
) -> User | None:
    """The new account; None when the address is taken."""
    row = await connection.fetchrow(_SQL["insert_user"], email, password_hash, user_metadata)
    return _user(row) if row else None


async def find_credentials(connection: Connection, email: str) -> Credentials | None:
    """By address, in any capitalisation."""
    row = await connection.fetchrow(_SQL["find_credentials"], email)
    return Credentials(row["id"], row["encrypted_password"]) if row else None


async def find_password(connection: Connection, user_id: UUID) -> str | None:
    """The stored hash."""
    return await connection.fetchval(_SQL["find_password"], user_id)


async def mark_signed_in(connection: Connection, verified: Credentials, now: datetime) -> User | None:
    """Note the time of the sign-in; None when the account or its password changed since they were read."""
    row = await connection.fetchrow(_SQL["mark_signed_in"], verified.user_id, now, verified.password_hash)
    return _user(row) if row else None


async def set_password(connection: Connection, user_id: UUID, password_hash: str, now: datetime) -> None:
    """Replace the hash."""
    await connection.execute(_SQL["set_password"], user_id, password_hash, now)


async def replace_hash(connection: Connection, user_id: UUID, password_hash: str) -> None:
    """Store a stronger hash of the same password."""
    await connection.execute(_SQL["replace_hash"], user_id, password_hash)


async def set_metadata(connection: Connection, user_id: UUID, metadata: Mapping[str, Any], now: datetime) -> User:
    """Replace what the user says of themselves."""
    row = await connection.fetchrow(_SQL["set_metadata"], user_id, metadata, now)
    if row is None:
        raise LookupError(user_id)
    return _user(row)


async def delete_user(connection: Connection, user_id: UUID) -> None:
    """The account and, by cascade, its sessions."""
    await connection.execute(_SQL["delete_user"], user_id)


async def add_session(
    connection: Connection,
    *,
    user_id: UUID,
    token_hash: bytes,
    user_agent: str | None,
    ip: str | None,
    now: datetime,
    expires_at: datetime,
) -> UUID:
    """A new session's id. The user's expired sessions go on this occasion."""
    await connection.execute(_SQL["delete_expired_sessions"], user_id, now)
    agent = user_agent[:_LONGEST_USER_AGENT].replace("\0", "") if user_agent else None
    return await connection.fetchval(_SQL["insert_session"], user_id, token_hash, agent, ip, now, expires_at)


async def find_session_user(connection: Connection, token_hash: bytes, now: datetime) -> User | None:
    """The user of a live session, which is noted as used."""
    return await _used(connection, await connection.fetchrow(_SQL["find_session"], token_hash, now), now)


async def find_user_of_session(connection: Connection, session_id: UUID, now: datetime) -> User | None:
    """The same by the session's id."""
    return await _used(connection, await connection.fetchrow(_SQL["find_session_by_id"], session_id, now), now)


async def _used(connection: Connection, row: asyncpg.Record | None, now: datetime) -> User | None:
    if row is None:
        return None
    if now - row["last_used_at"] >= TOUCH_EVERY:
        await connection.execute(_SQL["touch_session"], row["session_id"], now)
    return _user(row, session_id=row["session_id"])


async def delete_session(connection: Connection, token_hash: bytes) -> UUID | None:
    """End a session; the id of its user, None when it was none."""
    return await connection.fetchval(_SQL["delete_session"], token_hash)


async def delete_session_by_id(connection: Connection, session_id: UUID) -> UUID | None:
    """The same by the session's id."""
    return await connection.fetchval(_SQL["delete_session_by_id"], session_id)


async def delete_other_sessions(connection: Connection, user_id: UUID, keep: UUID | None) -> None:
    """End all sessions of a user but one."""
    await connection.execute(_SQL["delete_other_sessions"], user_id, keep)


async def audit(connection: Connection, action: str, *, actor_id: UUID | None, ip: str | None, **metadata: Any) -> None:
    """One row in auth.audit_log_entries."""
    await connection.execute(_SQL["insert_audit"], actor_id, action, metadata, ip)


def _user(row: asyncpg.Record, *, session_id: UUID | None = None) -> User:
    return User(
        id=row["id"],
        email=row["email"],
        created_at=row["created_at"],
        last_sign_in_at=row["last_sign_in_at"],
        user_metadata=row["user_metadata"],
        app_metadata=row["app_metadata"],
        session_id=session_id,
    )

"""Accounts, sessions and the audit trail in the database. Takes the connection, never commits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from fluxbase.auth.model import Proof, Session, User
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
    connection: Connection,
    *,
    email: str,
    password_hash: str | None,
    user_metadata: Mapping[str, Any],
    confirmed_at: datetime | None = None,
) -> User | None:
    """The new account; None when the address is taken."""
    row = await connection.fetchrow(_SQL["insert_user"], email, password_hash, user_metadata, confirmed_at)
    return _user(row) if row else None


async def find_credentials(connection: Connection, email: str) -> Credentials | None:
    """By address, in any capitalisation."""
    row = await connection.fetchrow(_SQL["find_credentials"], email)
    return Credentials(row["id"], row["encrypted_password"]) if row else None


async def find_password(connection: Connection, user_id: UUID) -> str | None:
    """The stored hash."""
    return await connection.fetchval(_SQL["find_password"], user_id)


async def find_user(connection: Connection, user_id: UUID) -> User | None:
    """By id; locked until the transaction ends, so that nothing about the account changes beside it."""
    row = await connection.fetchrow(_SQL["find_user"], user_id)
    return _user(row) if row else None


async def find_user_by_email(connection: Connection, email: str) -> User | None:
    """The same by address, in any capitalisation."""
    row = await connection.fetchrow(_SQL["find_user_by_email"], email)
    return _user(row) if row else None


async def hold_credentials(connection: Connection, verified: Credentials) -> User | None:
    """The account, locked; None when it or its password changed since they were read."""
    row = await connection.fetchrow(_SQL["hold_credentials"], verified.user_id, verified.password_hash)
    return _user(row) if row else None


async def mark_signed_in(connection: Connection, user_id: UUID, now: datetime) -> User:
    """Note the time of the sign-in.

    Raises:
        LookupError: There is no such account.
    """
    return _user(_found(await connection.fetchrow(_SQL["mark_signed_in"], user_id, now), user_id))


async def confirm_email(connection: Connection, user_id: UUID, now: datetime) -> bool:
    """Note that the address was proven; whether it was not before."""
    return await connection.fetchval(_SQL["confirm_email"], user_id, now) is not None


async def set_password(connection: Connection, user_id: UUID, password_hash: str | None, now: datetime) -> None:
    """Replace the hash."""
    await connection.execute(_SQL["set_password"], user_id, password_hash, now)


async def replace_hash(connection: Connection, user_id: UUID, password_hash: str) -> None:
    """Store a stronger hash of the same password."""
    await connection.execute(_SQL["replace_hash"], user_id, password_hash)


async def set_metadata(connection: Connection, user_id: UUID, metadata: Mapping[str, Any], now: datetime) -> User:
    """Replace what users say of themselves.

    Raises:
        LookupError: There is no such account.
    """
    return _user(_found(await connection.fetchrow(_SQL["set_metadata"], user_id, metadata, now), user_id))


def _found(row: asyncpg.Record | None, user_id: UUID) -> asyncpg.Record:
    if row is None:
        raise LookupError(user_id)
    return row


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
    proof: Proof,
) -> UUID:
    """A new session's id. The user's expired sessions go on this occasion."""
    await connection.execute(_SQL["delete_expired_sessions"], user_id, now)
    agent = user_agent[:_LONGEST_USER_AGENT].replace("\0", "") if user_agent else None
    return await connection.fetchval(
        _SQL["insert_session"],
        user_id,
        token_hash,
        agent,
        ip,
        now,
        expires_at,
        proof.aal,
        list(proof.methods),
        proof.identity_id,
    )


async def list_sessions(connection: Connection, user_id: UUID, now: datetime) -> list[Session]:
    """A user's live sessions, the one used last first."""
    return [Session(**dict(row)) for row in await connection.fetch(_SQL["list_sessions"], user_id, now)]


async def raise_session(connection: Connection, session_id: UUID, method: str) -> None:
    """Note that a second factor was shown in a session that is there already."""
    await connection.execute(_SQL["raise_session"], session_id, method)


async def lower_sessions(connection: Connection, user_id: UUID) -> None:
    """Note that the user has no second factor any more."""
    await connection.execute(_SQL["lower_sessions"], user_id)


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
    return replace(
        _user(row),
        session_id=row["session_id"],
        proof=Proof(row["amr"], second_factor=row["aal"] == "aal2"),
        session_opened_at=row["session_opened_at"],
    )


async def delete_session(connection: Connection, token_hash: bytes) -> UUID | None:
    """End a session; the id of its user, None when it was none."""
    return await connection.fetchval(_SQL["delete_session"], token_hash)


async def delete_session_by_id(connection: Connection, session_id: UUID) -> UUID | None:
    """The same by the session's id."""
    return await connection.fetchval(_SQL["delete_session_by_id"], session_id)


async def delete_session_of(connection: Connection, user_id: UUID, session_id: UUID) -> bool:
    """End a session of that user; whether it was one."""
    return await connection.fetchval(_SQL["delete_session_of"], user_id, session_id) is not None


async def delete_other_sessions(connection: Connection, user_id: UUID, keep: UUID | None) -> None:
    """End all sessions of a user but one, or all."""
    await connection.execute(_SQL["delete_other_sessions"], user_id, keep)


async def audit(connection: Connection, action: str, *, actor_id: UUID | None, ip: str | None, **metadata: Any) -> None:
    """One row in auth.audit_log_entries."""
    await connection.execute(_SQL["insert_audit"], actor_id, action, metadata, ip)


def _user(row: asyncpg.Record) -> User:
    return User(
        id=row["id"],
        email=row["email"],
        created_at=row["created_at"],
        last_sign_in_at=row["last_sign_in_at"],
        email_confirmed_at=row["email_confirmed_at"],
        user_metadata=row["user_metadata"],
        app_metadata=row["app_metadata"],
    )

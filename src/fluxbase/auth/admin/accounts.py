"""What an operator does with accounts, from the machine that has the secret."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fluxbase.auth import emails, lockout, passwords, repository
from fluxbase.auth.errors import EmailExistsError
from fluxbase.db import Connection, load
from fluxbase.errors import ConflictError, NotFoundError
from fluxbase.resources import Resources

_SQL = load(__package__)
_BY = "fluxbase users"


async def list_users(resources: Resources, containing: str = "", limit: int = 1000) -> list[Mapping[str, Any]]:
    """Accounts whose address contains that text, newest first, each with how many sessions are open."""
    async with resources.database.transaction() as connection:
        rows = await connection.fetch(_SQL["list_users"], resources.now(), containing, limit)
    return [dict(row) for row in rows]


async def create_user(resources: Resources, email: str, password: str, *, shortest: int) -> UUID:
    """Make an account whose address counts as confirmed: the operator vouches for it.

    Raises:
        InvalidEmailError, WeakPasswordError: 400.
        EmailExistsError: 409.
    """
    address = emails.cleaned(email)
    passwords.check_strength(password, shortest=shortest, email=address)
    password_hash = await passwords.hashed(password)
    async with resources.database.transaction() as connection:
        user = await repository.add_user(
            connection, email=address, password_hash=password_hash, user_metadata={}, confirmed_at=resources.now()
        )
        if user is None:
            raise EmailExistsError
        await _audit(connection, "user.created", user.id, email=address)
    return user.id


async def set_password(resources: Resources, who: str, password: str, *, shortest: int) -> UUID:
    """Give the account of that id or address a password, end all its sessions, and lift a lock.

    Raises:
        NotFoundError: There is no such account.
        WeakPasswordError: 400.
    """
    passwords.check_strength(password, shortest=shortest)
    password_hash = await passwords.hashed(password)
    async with resources.database.transaction() as connection:
        user_id, email = await _found(connection, who)
        await repository.set_password(connection, user_id, password_hash, resources.now())
        await lockout.forget(connection, email)
        await repository.delete_other_sessions(connection, user_id, None)
        await _audit(connection, "user.password_set", user_id)
    return user_id


async def delete_user(resources: Resources, who: str) -> UUID:
    """Delete the account of that id or address, with its sessions.

    Raises:
        NotFoundError: There is no such account.
        ConflictError: It is a member of an organisation of FlakeGuard, whose rules for that are not known here.
    """
    async with resources.database.transaction() as connection:
        user_id, email = await _found(connection, who)
        await _check_not_a_member(connection, user_id, email)
        await _audit(connection, "user.deleted", user_id)
        await repository.delete_user(connection, user_id)
    return user_id


async def _found(connection: Connection, who: str) -> tuple[UUID, str]:
    row = await connection.fetchrow(_SQL["find_user"], who)
    if row is None:
        raise NotFoundError(f"There is no account {who}.")
    return row["id"], row["email"]


async def _check_not_a_member(connection: Connection, user_id: UUID, email: str) -> None:
    """In a FlakeGuard database: its hooks, which keep organisations from being left ownerless, are not asked here."""
    if not await connection.fetchval(_SQL["has_organizations"]):
        return
    if await connection.fetchval(_SQL["is_member"], user_id):
        raise ConflictError(
            f"{email} is a member of an organisation of FlakeGuard, which might be left without an owner. "
            "Remove the member there first, or let them delete their account there."
        )


async def _audit(connection: Connection, action: str, user_id: UUID, **metadata: Any) -> None:
    await repository.audit(connection, action, actor_id=user_id, ip=None, by=_BY, **metadata)

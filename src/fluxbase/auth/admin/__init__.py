"""What an operator does with accounts, from the machine that has the secret."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fluxbase.auth import emails, passwords, repository
from fluxbase.auth.errors import EmailExistsError
from fluxbase.db import Connection, load
from fluxbase.errors import NotFoundError
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
    """Give the account of that id or address a password, and end all its sessions.

    Raises:
        NotFoundError: There is no such account.
        WeakPasswordError: 400.
    """
    passwords.check_strength(password, shortest=shortest)
    password_hash = await passwords.hashed(password)
    async with resources.database.transaction() as connection:
        user_id = await _found(connection, who)
        await repository.set_password(connection, user_id, password_hash, resources.now())
        await repository.delete_other_sessions(connection, user_id, None)
        await _audit(connection, "user.password_set", user_id)
    return user_id


async def delete_user(resources: Resources, who: str) -> UUID:
    """Delete the account of that id or address, with its sessions. Raises NotFoundError."""
    async with resources.database.transaction() as connection:
        user_id = await _found(connection, who)
        await _audit(connection, "user.deleted", user_id)
        await repository.delete_user(connection, user_id)
    return user_id


async def _found(connection: Connection, who: str) -> UUID:
    user_id: UUID | None = await connection.fetchval(_SQL["find_user_id"], who)
    if user_id is None:
        raise NotFoundError(f"There is no account {who}.")
    return user_id


async def _audit(connection: Connection, action: str, user_id: UUID, **metadata: Any) -> None:
    await repository.audit(connection, action, actor_id=user_id, ip=None, by=_BY, **metadata)

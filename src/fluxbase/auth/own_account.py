"""What users do with their own account: metadata, password, deletion."""

from collections.abc import Mapping
from typing import Any

from fluxbase.auth import passwords, proving, repository
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.metadata import checked_metadata
from fluxbase.auth.model import Client, User


async def update_metadata(accounts: Accounts, user: User, metadata: Mapping[str, Any]) -> User:
    """Replace what the user says of themselves; `app_metadata` is the operator's.

    Raises:
        InvalidMetadataError: 400.
    """
    checked = checked_metadata(metadata)
    async with accounts.database.transaction() as connection:
        return await repository.set_metadata(connection, user.id, checked, accounts.now())


async def change_password(
    accounts: Accounts, user: User, *, current: str | None, new: str, code: str | None = None, client: Client
) -> None:
    """Set a new password, or the first one, and end every other session of the user.

    Raises:
        WeakPasswordError: 400.
        WrongPasswordError, CodeRefusedError, SignInAgainError, AccountLockedError: 403 (`proving.require`).
        RateLimitError: 429.
    """
    passwords.check_strength(new, shortest=accounts.settings.password_min_length, email=user.email)
    await proving.require(accounts, user, password=current, code=code)
    password_hash = await passwords.hashed(new)
    async with accounts.database.transaction() as connection:
        await repository.set_password(connection, user.id, password_hash, accounts.now())
        await repository.delete_other_sessions(connection, user.id, user.session_id)
        await repository.audit(connection, "user.password_changed", actor_id=user.id, ip=client.ip)


async def delete_account(
    accounts: Accounts,
    user: User,
    *,
    password: str | None,
    code: str | None = None,
    delete_organizations: bool = False,
    client: Client,
) -> None:
    """Delete the account with its sessions and what the hook releases.

    Raises:
        WrongPasswordError, CodeRefusedError, SignInAgainError, AccountLockedError: 403 (`proving.require`).
        ConflictError: 409, something of the application stands in the way; its text says what.
        RateLimitError: 429.
    """
    await proving.require(accounts, user, password=password, code=code)
    await accounts.hooks.before_delete(accounts.database, user, confirmed=delete_organizations)
    async with accounts.database.transaction() as connection:
        await repository.audit(connection, "user.deleted", actor_id=user.id, ip=client.ip)
        await repository.delete_user(connection, user.id)

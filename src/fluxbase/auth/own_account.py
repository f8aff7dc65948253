"""What users do with their own account: metadata, password, deletion."""

from collections.abc import Mapping
from typing import Any

from fluxbase.auth import lockout, passwords, repository
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.errors import WrongPasswordError
from fluxbase.auth.model import Client, User


async def update_metadata(accounts: Accounts, user: User, metadata: Mapping[str, Any]) -> User:
    """Replace what the user says of themselves; `app_metadata` is the operator's."""
    async with accounts.database.transaction() as connection:
        return await repository.set_metadata(connection, user.id, metadata, accounts.now())


async def change_password(accounts: Accounts, user: User, *, current: str | None, new: str, client: Client) -> None:
    """Set a new password and end every other session of the user.

    Who has none yet (they came by mail or by a provider) sets the first one without.

    Raises:
        WrongPasswordError: 403, `current` is not the password.
        WeakPasswordError: 400.
        AccountLockedError: 403.
        RateLimitError: 429.
    """
    passwords.check_strength(new, shortest=accounts.settings.password_min_length, email=user.email)
    await require_password(accounts, user, current)
    password_hash = await passwords.hashed(new)
    async with accounts.database.transaction() as connection:
        await repository.set_password(connection, user.id, password_hash, accounts.now())
        await repository.delete_other_sessions(connection, user.id, user.session_id)
        await repository.audit(connection, "user.password_changed", actor_id=user.id, ip=client.ip)


async def delete_account(
    accounts: Accounts, user: User, *, password: str, delete_organizations: bool = False, client: Client
) -> None:
    """Delete the account with its sessions and what the hook releases.

    Raises:
        WrongPasswordError, AccountLockedError: 403.
        ConflictError: 409, something of the application stands in the way; its text says what.
        RateLimitError: 429.
    """
    await require_password(accounts, user, password)
    await accounts.hooks.before_delete(accounts.database, user, confirmed=delete_organizations)
    async with accounts.database.transaction() as connection:
        await repository.audit(connection, "user.deleted", actor_id=user.id, ip=client.ip)
        await repository.delete_user(connection, user.id)


async def has_password(accounts: Accounts, user: User) -> bool:
    """Whether there is a password to ask for; who came by mail or by a provider may have none."""
    async with accounts.database.transaction() as connection:
        return await repository.find_password(connection, user.id) is not None


async def require_password(accounts: Accounts, user: User, password: str | None) -> None:
    """Ask for the password again; an account that has none is let through.

    Raises:
        WrongPasswordError, AccountLockedError: 403.
        RateLimitError: 429.
    """
    # Limited like sign-in: a stolen session must not become a way to try passwords.
    await accounts.limiter.check("password", str(user.id), per_minute=accounts.settings.signin_attempts_per_minute)
    async with accounts.database.transaction() as connection:
        await lockout.require_unlocked(accounts, connection, user.email)
        stored = await repository.find_password(connection, user.id)
    if stored is None:
        return
    if not await passwords.matches(password or "", stored):
        async with accounts.database.transaction() as connection:
            await lockout.note_failure(accounts, connection, user.email)
        raise WrongPasswordError

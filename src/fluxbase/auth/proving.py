"""Showing once more who one is, before what a stolen session must not do: passwords, factors, identities, deletion.

Asked for is the password. Who has none (they came by mail or by a provider) shows a code of their second factor; who
has neither must have signed in a moment ago.
"""

from datetime import timedelta
from enum import StrEnum

from fluxbase.auth import lockout, passwords, repository
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.errors import SignInAgainError, WrongPasswordError
from fluxbase.auth.model import User
from fluxbase.auth.second_factor import checking
from fluxbase.auth.second_factor import repository as factors
from fluxbase.auth.second_factor.errors import CodeRefusedError
from fluxbase.db import Connection

RECENT = timedelta(minutes=10)


class Asked(StrEnum):
    """What there is to ask a user for; `NOTHING` for who signed in within `RECENT`, else `SIGN_IN`."""

    PASSWORD = "password"  # noqa: S105 -- the name of what is asked for
    CODE = "code"
    NOTHING = "nothing"
    SIGN_IN = "sign_in"


async def asked(accounts: Accounts, user: User) -> Asked:
    """What `require` wants of the user now, for the page that asks."""
    async with accounts.database.transaction() as connection:
        stored = await repository.find_password(connection, user.id)
        return await _asked(accounts, connection, user, stored)


async def _asked(accounts: Accounts, connection: Connection, user: User, stored: str | None) -> Asked:
    if stored is not None:
        return Asked.PASSWORD
    if await factors.has_second_factor(connection, user.id):
        return Asked.CODE
    return Asked.NOTHING if is_recent(accounts, user) else Asked.SIGN_IN


def is_recent(accounts: Accounts, user: User) -> bool:
    """Whether the session was opened within `RECENT`; refreshing it does not make it younger."""
    opened_at = user.session_opened_at
    return opened_at is not None and accounts.now() - opened_at <= RECENT


async def require(accounts: Accounts, user: User, *, password: str | None, code: str | None = None) -> None:
    """Let the user through who shows what is asked for. A wrong password or code counts as a failed sign-in.

    Raises:
        WrongPasswordError, CodeRefusedError, SignInAgainError, AccountLockedError: 403.
        RateLimitError: 429.
    """
    # Limited like sign-in: a stolen session must not become a way to try passwords.
    await accounts.limiter.check("password", str(user.id), per_minute=accounts.settings.signin_attempts_per_minute)
    async with accounts.database.transaction() as connection:
        await lockout.require_unlocked(accounts, connection, user.email)
        stored = await repository.find_password(connection, user.id)
        wanted = await _asked(accounts, connection, user, stored)
        right = wanted is Asked.CODE and await checking.use_code(accounts, connection, user.id, code or "") is not None
    if wanted is Asked.SIGN_IN:
        raise SignInAgainError
    if wanted is Asked.PASSWORD:
        right = await passwords.matches(password or "", stored)
    if right or wanted is Asked.NOTHING:
        return
    async with accounts.database.transaction() as connection:
        await lockout.note_failure(accounts, connection, user.email)
    raise CodeRefusedError if wanted is Asked.CODE else WrongPasswordError


def require_recent(accounts: Accounts, user: User) -> None:
    """Let through who signed in a moment ago.

    Raises:
        SignInAgainError: 403.
    """
    if not is_recent(accounts, user):
        raise SignInAgainError

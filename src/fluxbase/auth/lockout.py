"""Lock-out: too many failures in a row close an address for a while, for passwords, codes and second factors alike.

Counted by the address that was typed, whether or not it has an account, so that a lock tells nothing. A failure that
is older than the lock lasts is forgotten. While it is closed nothing is compared: a right guess gets the same answer.
"""

from datetime import datetime

from fluxbase.auth import emails
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.errors import AccountLockedError
from fluxbase.db import Connection, aware, load

_SQL = load(__package__ or "")


async def require_unlocked(accounts: Accounts, connection: Connection, email: str) -> None:
    """Refuse an address that is locked.

    Raises:
        AccountLockedError: 403; its text says for how long.
    """
    until: datetime | None = await connection.fetchval(_SQL["locked_until"], emails.typed(email), accounts.now())
    if until is not None:
        raise _locked(until, accounts.now())


async def note_failure(accounts: Accounts, connection: Connection, email: str) -> None:
    """Count one more failure; the last one that is allowed closes the address."""
    settings, now = accounts.settings, accounts.now()
    await connection.execute(_SQL["forget_old_failures"], now - settings.lockout_duration)
    await connection.execute(
        _SQL["note_failure"], emails.typed(email), now, settings.lockout_duration, settings.lockout_attempts
    )


async def forget(connection: Connection, email: str) -> None:
    """Begin to count anew: somebody showed who they are."""
    await connection.execute(_SQL["forget_failures"], emails.typed(email))


def _locked(until: datetime, now: datetime) -> AccountLockedError:
    minutes = max(1, round((aware(until) - now).total_seconds() / 60))
    return AccountLockedError(f"Too many failed attempts: this account is locked. Try again in {minutes} min.")

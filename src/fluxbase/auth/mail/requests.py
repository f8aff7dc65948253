"""Asking for a mail: one row, whether or not the address has an account. Neither answer nor time tells."""

from typing import Literal

from fluxbase.auth import emails, redirects
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.errors import InvalidRedirectError, MailNotConfiguredError
from fluxbase.auth.model import Client
from fluxbase.db import Connection, load

_SQL = load(__package__ or "")

type MailPurpose = Literal["confirmation", "recovery", "magiclink", "otp", "exists"]

CHANNEL = "fluxbase_mail"
# Of one address, whoever asks: nobody's mailbox is to be filled by us.
_MAILS_PER_MINUTE = 3


async def ask(
    accounts: Accounts, purpose: MailPurpose, *, email: str, client: Client, redirect_to: str | None = None
) -> None:
    """Let a mail be sent, if the address has an account that may have it.

    Raises:
        InvalidEmailError, InvalidRedirectError, MailNotConfiguredError: 400.
        RateLimitError: 429, by who asks and by whom it is sent to.
    """
    require_allowed(accounts, redirect_to)
    if accounts.settings.smtp_host is None:
        raise MailNotConfiguredError
    address = emails.cleaned(email)
    await accounts.limit("mail", client)
    await limit_to(accounts, address)
    async with accounts.database.transaction() as connection:
        await add(accounts, connection, purpose, address, redirect_to)


async def limit_to(accounts: Accounts, address: str) -> None:
    """Count a mail to an address.

    Raises:
        RateLimitError: 429.
    """
    await accounts.limiter.check("mail to", address.lower(), per_minute=_MAILS_PER_MINUTE)


async def add(
    accounts: Accounts, connection: Connection, purpose: MailPurpose, address: str, redirect_to: str | None
) -> None:
    """Owe a mail, in the transaction of what it is about."""
    await connection.execute(_SQL["insert_mail_request"], purpose, address, redirect_to, accounts.now())
    await connection.execute(_SQL["wake_sender"])


def require_allowed(accounts: Accounts, redirect_to: str | None) -> None:
    """Refuse targets that are not ours.

    Raises:
        InvalidRedirectError: 400.
    """
    settings = accounts.settings
    if redirect_to is not None and not redirects.is_allowed(redirect_to, settings.public_url, settings.redirect_urls):
        raise InvalidRedirectError

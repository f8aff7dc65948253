"""Making accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fluxbase.auth import emails, passwords, repository, sessions
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.errors import EmailExistsError, SignupRefusedError
from fluxbase.auth.mail import requests as mail
from fluxbase.auth.metadata import checked_metadata
from fluxbase.auth.model import Client, ConfirmationNeeded, Proof, SignedIn
from fluxbase.db import Connection
from fluxbase.settings import SignupPolicy

# Sign-ups cost a bcrypt each and whole offices share an address: a limit, but a wide one.
_SIGNUPS_PER_SIGNIN = 6


@dataclass(frozen=True, slots=True)
class SignupState:
    """What a sign-up page must know: whether it makes the first account, and the policy for later ones."""

    first_account: bool
    policy: SignupPolicy


async def signup_state(accounts: Accounts) -> SignupState:
    """For the page that offers to sign up."""
    async with accounts.database.transaction() as connection:
        return SignupState(not await repository.has_accounts(connection), accounts.settings.signup_policy)


async def sign_up(
    accounts: Accounts,
    *,
    email: str,
    password: str,
    client: Client,
    invite_token: str | None = None,
    user_metadata: Mapping[str, Any] | None = None,
    redirect_to: str | None = None,
) -> SignedIn | ConfirmationNeeded:
    """Make an account and a session for it. The first account of an installation is always allowed.

    Where addresses must be confirmed there is no session yet, and the answer is the same for an address that has an
    account: only its mail tells.

    Raises:
        InvalidEmailError, WeakPasswordError, InvalidRedirectError, InvalidMetadataError: 400.
        SignupRefusedError: 403, the policy does not let this address in.
        EmailExistsError: 409.
        RateLimitError: 429.
    """
    with accounts.counted("signup"):
        await accounts.limit("signup", client, times=_SIGNUPS_PER_SIGNIN)
        mail.require_allowed(accounts, redirect_to)
        address = emails.cleaned(email)
        passwords.check_strength(password, shortest=accounts.settings.password_min_length, email=address)
        metadata = checked_metadata(user_metadata or {})
        if accounts.settings.email_confirmation:
            await mail.limit_to(accounts, address)
        password_hash = await passwords.hashed(password)
        async with accounts.database.transaction() as connection:
            await require_allowed(accounts, connection, address, invite_token)
            user = await repository.add_user(
                connection, email=address, password_hash=password_hash, user_metadata=metadata
            )
            if user is not None:
                await repository.audit(connection, "user.signup", actor_id=user.id, ip=client.ip, email=user.email)
            if accounts.settings.email_confirmation:
                purpose = "exists" if user is None else "confirmation"
                await mail.add(accounts, connection, purpose, address, redirect_to)
                return ConfirmationNeeded(address)
            if user is None:
                raise EmailExistsError
            return await sessions.open_session(accounts, connection, user, client, Proof(("password",)))


async def require_allowed(accounts: Accounts, connection: Connection, email: str, invite_token: str | None) -> None:
    """Refuse whom the sign-up policy does not let in; whoever comes first is always let in.

    Raises:
        SignupRefusedError: 403.
    """
    policy = accounts.settings.signup_policy
    # Otherwise a closed installation could never be used: somebody has to be its first account.
    if policy is SignupPolicy.OPEN or await repository.no_account_yet(connection):
        return
    if policy is SignupPolicy.CLOSED:
        raise SignupRefusedError
    if not await accounts.hooks.may_sign_up(connection, email, invite_token):
        raise SignupRefusedError(
            "This installation takes new accounts by invite only: open the link of an invite to this address."
        )

"""To a provider and back: state, PKCE and nonce leave with the browser, and only the browser that left comes back."""

import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fluxbase.auth import one_time, redirects, signing_in, tokens
from fluxbase.auth import repository as accounts_repository
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.encryption import SecretBox
from fluxbase.auth.mail.links import base
from fluxbase.auth.mail.requests import require_allowed
from fluxbase.auth.model import Client, Proof, SecondStep, SignedIn, User
from fluxbase.auth.one_time import Purpose
from fluxbase.auth.providers import configured, linking, repository
from fluxbase.auth.providers.client import speaking_with
from fluxbase.auth.providers.errors import InvalidStateError
from fluxbase.auth.providers.linking import Resolved
from fluxbase.auth.providers.model import Vouched
from fluxbase.auth.providers.repository import Departure
from fluxbase.db import Connection
from fluxbase.errors import SessionEndedError

LIFETIME = timedelta(minutes=10)
_METHOD = "oauth"
_SESSION = "session"


@dataclass(frozen=True, slots=True)
class Leaving:
    """Where the browser goes, and what its cookie holds until it is back."""

    url: str
    browser: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came of it.

    Attributes:
        result: The session or the second step; None when an identity was connected, or for a code.
        code: For a page of another origin, which exchanges it for the session.
    """

    result: SignedIn | SecondStep | None = None
    code: str | None = None


async def leave(
    accounts: Accounts, name: str, *, client: Client, redirect_to: str | None, link_to: User | None = None
) -> Leaving:
    """Begin a sign-in, or with `link_to` the connection of an identity to that account, while its session lasts.

    Raises:
        UnknownProviderError: 404.
        InvalidRedirectError: 400.
        ProviderAwayError: 503.
        RateLimitError: 429.
    """
    provider = configured.find(accounts.settings, name)
    require_allowed(accounts, redirect_to)
    await accounts.limit("oauth", client, times=3)
    state, browser = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    kept = {"nonce": secrets.token_urlsafe(32), "code_verifier": secrets.token_urlsafe(48)}
    async with speaking_with(provider, callback_address(accounts, name)) as speaker:
        url = await speaker.authorization_url(state=state, **kept)
    if link_to is not None:
        kept[_SESSION] = str(link_to.session_id)
    departure = Departure(_box(accounts).seal(json.dumps(kept)), redirect_to, link_to.id if link_to else None)
    async with accounts.database.transaction() as connection:
        expires_at = accounts.now() + LIFETIME
        await repository.add_state(
            connection, tokens.digest(state), tokens.digest(browser), name, departure, expires_at
        )
    return Leaving(url, browser)


async def depart_of(accounts: Accounts, name: str, *, state: str, browser: str, client: Client) -> Departure:
    """What was noted when this browser left; it is used up.

    Raises:
        InvalidStateError: 400, another browser left, or none, or it came back before.
        RateLimitError: 429.
    """
    configured.find(accounts.settings, name)
    await accounts.limit("oauth", client, times=3)
    async with accounts.database.transaction() as connection:
        departure = await repository.spend_state(
            connection, tokens.digest(state), tokens.digest(browser), name, accounts.now()
        )
    if departure is None:
        raise InvalidStateError
    return departure


async def arrive(accounts: Accounts, name: str, departure: Departure, *, code: str, client: Client) -> Arrived:
    """Sign in, or connect, whom the provider vouches for.

    Raises:
        ProviderRefusedError, SessionEndedError: 401.
        IdentityRevokedError, AddressUnverifiedError, SignupRefusedError: 403.
        AccountUnconfirmedError, IdentityTakenError: 409.
        ProviderAwayError: 503.
    """
    provider = configured.find(accounts.settings, name)
    kept: dict[str, str] = json.loads(_box(accounts).open(departure.sealed))
    session = kept.pop(_SESSION, "")
    with accounts.counted(_METHOD):
        async with speaking_with(provider, callback_address(accounts, name)) as speaker:
            vouched = await speaker.vouched(code, **kept)
        async with accounts.database.transaction() as connection:
            if departure.link_user_id is not None:
                await _check_session(accounts, connection, departure.link_user_id, session)
                await linking.connect_to(accounts, connection, departure.link_user_id, vouched, client)
                return Arrived()
            return await _signed_in(accounts, connection, departure, vouched, client)


async def _check_session(accounts: Accounts, connection: Connection, user_id: UUID, session: str) -> None:
    """Whoever stole a session must not come back with an identity after it was ended.

    The account is locked first, as by everybody who ends sessions for a change of it: else both wait for each other.
    """
    await accounts_repository.find_user(connection, user_id)
    if not session or not await repository.hold_session(connection, user_id, UUID(session), accounts.now()):
        raise SessionEndedError


async def _signed_in(
    accounts: Accounts, connection: Connection, departure: Departure, vouched: Vouched, client: Client
) -> Arrived:
    resolved = await linking.resolve(accounts, connection, vouched, client)
    target = departure.redirect_to
    if target is not None and not redirects.is_own(target, accounts.settings.public_url):
        return Arrived(code=await _exchange_code(accounts, connection, resolved))
    proof = Proof((_METHOD,), identity_id=resolved.identity_id)
    return Arrived(await signing_in.first_step_done(accounts, connection, resolved.user, client, proof))


async def _exchange_code(accounts: Accounts, connection: Connection, resolved: Resolved) -> str:
    method = str(resolved.identity_id)
    return await one_time.issue(connection, resolved.user, Purpose.EXCHANGE, accounts.now(), method=method)


async def exchange(accounts: Accounts, code: str, client: Client) -> SignedIn | SecondStep:
    """The session for the code that a page of another origin was given.

    Raises:
        InvalidCodeError: 401.
        RateLimitError: 429.
    """
    with accounts.counted("oauth_exchange"):
        await accounts.limit("link", client)
        async with accounts.database.transaction() as connection:
            user, identity = await one_time.redeem(connection, code, Purpose.EXCHANGE, accounts.now())
            proof = Proof((_METHOD,), identity_id=UUID(identity) if identity else None)
            return await signing_in.first_step_done(accounts, connection, user, client, proof)


def callback_address(accounts: Accounts, name: str) -> str:
    """Where the provider sends the browser back to; it has to be registered there."""
    return f"{base(accounts.settings)}/api/v1/auth/oauth/{name}/callback"


def _box(accounts: Accounts) -> SecretBox:
    return accounts.box("oauth states")

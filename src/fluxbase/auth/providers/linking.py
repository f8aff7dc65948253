"""Whose account it is that a provider vouches for.

An identity belongs to one account. A new one is connected by itself only to an account whose address was confirmed
here, and only when the provider says that the address is verified there: else whoever first writes somebody's address
into a form would own what that somebody does later.
"""

from dataclasses import dataclass
from uuid import UUID

from fluxbase.auth import emails, signing_up
from fluxbase.auth import repository as accounts_repository
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.model import Client, User
from fluxbase.auth.providers import repository
from fluxbase.auth.providers.errors import (
    AccountUnconfirmedError,
    AddressUnverifiedError,
    IdentityRevokedError,
    IdentityTakenError,
    LastWayInError,
    ProviderRefusedError,
)
from fluxbase.auth.providers.model import Identity, Vouched
from fluxbase.db import Connection
from fluxbase.errors import ConflictError, NotFoundError


@dataclass(frozen=True, slots=True)
class Resolved:
    """The account, locked, and the identity that leads to it."""

    user: User
    identity_id: UUID


async def resolve(accounts: Accounts, connection: Connection, vouched: Vouched, client: Client) -> Resolved:
    """The account to sign in to; made, or connected, when that may be.

    Raises:
        IdentityRevokedError, AddressUnverifiedError, SignupRefusedError: 403.
        AccountUnconfirmedError: 409.
    """
    known = await repository.find_identity(connection, vouched)
    if known is None:
        return await _connect_new(accounts, connection, vouched, client)
    identity_id, user_id = known
    user = await accounts_repository.find_user(connection, user_id)
    if user is None:
        raise ProviderRefusedError
    await repository.note_sign_in(connection, identity_id, vouched, accounts.now())
    return Resolved(user, identity_id)


async def _connect_new(accounts: Accounts, connection: Connection, vouched: Vouched, client: Client) -> Resolved:
    if await repository.is_revoked(connection, vouched):
        raise IdentityRevokedError
    if not vouched.email or not vouched.email_verified:
        raise AddressUnverifiedError
    address = emails.cleaned(vouched.email)
    user = await accounts_repository.find_user_by_email(connection, address)
    if user is None:
        user = await _make_account(accounts, connection, vouched, address, client)
    elif user.email_confirmed_at is None:
        raise AccountUnconfirmedError
    return Resolved(user, await _connect(accounts, connection, user, vouched, client))


async def _make_account(
    accounts: Accounts, connection: Connection, vouched: Vouched, address: str, client: Client
) -> User:
    await signing_up.require_allowed(accounts, connection, address, None)
    user = await accounts_repository.add_user(
        connection,
        email=address,
        password_hash=None,
        user_metadata={"name": vouched.name} if vouched.name else {},
        confirmed_at=accounts.now(),
    )
    if user is None:
        raise ConflictError("Somebody made an account with this address just now: try again.")
    await accounts_repository.audit(
        connection, "user.signup", actor_id=user.id, ip=client.ip, email=user.email, provider=vouched.provider
    )
    return user


async def _connect(accounts: Accounts, connection: Connection, user: User, vouched: Vouched, client: Client) -> UUID:
    identity_id = await repository.add_identity(connection, user.id, vouched, accounts.now())
    await accounts_repository.audit(
        connection, "user.identity_connected", actor_id=user.id, ip=client.ip, provider=vouched.provider
    )
    return identity_id


async def connect_to(
    accounts: Accounts, connection: Connection, user_id: UUID, vouched: Vouched, client: Client
) -> None:
    """Connect an identity to the account of who asked for it, whatever its address.

    Raises:
        IdentityTakenError: 409, it belongs to another account.
    """
    user = await accounts_repository.find_user(connection, user_id)
    if user is None:
        raise ProviderRefusedError
    known = await repository.find_identity(connection, vouched)
    if known is not None and known[1] != user_id:
        raise IdentityTakenError
    if known is None:
        await _connect(accounts, connection, user, vouched, client)


async def identities_of(accounts: Accounts, user: User) -> list[Identity]:
    """The identities of a user."""
    async with accounts.database.transaction() as connection:
        return await repository.list_identities(connection, user.id)


async def disconnect(accounts: Accounts, user: User, identity_id: UUID, client: Client) -> None:
    """Disconnect an identity. Sessions that it opened end.

    Raises:
        NotFoundError: 404, it is none of theirs.
        LastWayInError: 409, the account has no password and no other identity.
    """
    async with accounts.database.transaction() as connection:
        ways = await repository.ways_in(connection, user.id)
        provider = await repository.delete_identity(connection, user.id, identity_id)
        if provider is None:
            raise NotFoundError
        if ways < 2:  # noqa: PLR2004 -- this one and another
            raise LastWayInError
        await accounts_repository.audit(
            connection, "user.identity_disconnected", actor_id=user.id, ip=client.ip, provider=provider
        )

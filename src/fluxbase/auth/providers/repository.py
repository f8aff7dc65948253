"""Identities, and states of sign-ins that left for a provider. Takes the connection, never commits."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fluxbase.auth.providers.model import Identity, Vouched
from fluxbase.db import Connection, load

_SQL = load(__package__ or "")


@dataclass(frozen=True, slots=True)
class Departure:
    """What was noted when the browser left for the provider; `sealed` holds PKCE verifier and nonce."""

    sealed: str
    redirect_to: str | None
    link_user_id: UUID | None


async def add_state(
    connection: Connection, state: bytes, browser: bytes, provider: str, departure: Departure, expires_at: datetime
) -> None:
    """Note a departure, under the digests of its state and of the browser's cookie."""
    await connection.execute(
        _SQL["insert_state"],
        state,
        browser,
        provider,
        departure.sealed,
        departure.redirect_to,
        departure.link_user_id,
        expires_at,
    )


async def spend_state(
    connection: Connection, state: bytes, browser: bytes, provider: str, now: datetime
) -> Departure | None:
    """The departure that this browser comes back from, once; None when there is none."""
    await connection.execute(_SQL["delete_expired_states"], now)
    row = await connection.fetchrow(_SQL["spend_state"], state, browser, provider, now)
    return Departure(**dict(row)) if row else None


async def hold_session(connection: Connection, user_id: UUID, session_id: UUID, now: datetime) -> bool:
    """Whether the user's session still lives; whoever ends it meanwhile waits for the end of the transaction."""
    return await connection.fetchval(_SQL["hold_session"], user_id, session_id, now) is not None


async def find_identity(connection: Connection, vouched: Vouched) -> tuple[UUID, UUID] | None:
    """Ids of the identity and of its user."""
    row = await connection.fetchrow(_SQL["find_identity"], vouched.provider, vouched.provider_id)
    return (row["id"], row["user_id"]) if row else None


async def add_identity(connection: Connection, user_id: UUID, vouched: Vouched, now: datetime) -> UUID:
    """Connect an identity; what was said of its revocation is forgotten."""
    await connection.execute(_SQL["forget_revocation"], vouched.provider, vouched.provider_id)
    return await connection.fetchval(
        _SQL["insert_identity"], user_id, vouched.provider, vouched.provider_id, vouched.email, vouched.data, now
    )


async def note_sign_in(connection: Connection, identity_id: UUID, vouched: Vouched, now: datetime) -> None:
    """Keep what the provider says now."""
    await connection.execute(_SQL["update_identity"], identity_id, vouched.email, vouched.data, now)


async def is_revoked(connection: Connection, vouched: Vouched) -> bool:
    """Whether the identity was disconnected from an account."""
    return await connection.fetchval(_SQL["is_revoked"], vouched.provider, vouched.provider_id)


async def list_identities(connection: Connection, user_id: UUID) -> list[Identity]:
    """A user's identities, the oldest first."""
    return [Identity(**dict(row)) for row in await connection.fetch(_SQL["list_identities"], user_id)]


async def ways_in(connection: Connection, user_id: UUID) -> int:
    """How many identities a user has, and one more for a password; the account is locked until the transaction ends."""
    row = await connection.fetchrow(_SQL["lock_identities"], user_id)
    return row["count"] + int(row["has_password"]) if row else 0


async def delete_identity(connection: Connection, user_id: UUID, identity_id: UUID) -> str | None:
    """Disconnect an identity of that user; its provider, None when it is none of theirs."""
    return await connection.fetchval(_SQL["delete_identity"], user_id, identity_id)

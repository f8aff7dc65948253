"""Sessions: opened by a proof, refreshed by a token that is good once, listed, ended."""

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from fluxbase.auth import access_tokens, repository, tokens
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.errors import InvalidRefreshTokenError, RefreshTokenReusedError
from fluxbase.auth.model import Client, Proof, Session, SignedIn, User
from fluxbase.db import Connection, aware, load
from fluxbase.errors import NotFoundError

_SQL = load(__package__ or "")

# A client whose answer got lost, or two of whose tabs refresh at once, sends the last token again within moments.
REUSE_GRACE = timedelta(seconds=10)


class SignOutScope(StrEnum):
    """Which sessions end: this one, every other one, or all."""

    LOCAL = "local"
    OTHERS = "others"
    GLOBAL = "global"


async def open_session(
    accounts: Accounts, connection: Connection, user: User, client: Client, proof: Proof
) -> SignedIn:
    """A new session of a user who has shown who they are."""
    token, now = tokens.new_token(), accounts.now()
    expires_at = now + timedelta(days=accounts.settings.session_days)
    session_id = await repository.add_session(
        connection,
        user_id=user.id,
        token_hash=tokens.digest(token),
        user_agent=client.user_agent,
        ip=client.ip,
        now=now,
        expires_at=expires_at,
        proof=proof,
    )
    refresh = await _add_refresh_token(accounts, connection, session_id, 0, expires_at)
    found = replace(user, session_id=session_id, proof=proof, session_opened_at=now)
    return _signed_in(accounts, found, now=now, expires_at=expires_at, refresh_token=refresh, token=token)


async def _add_refresh_token(
    accounts: Accounts, connection: Connection, session_id: UUID, generation: int, session_ends: datetime
) -> str:
    token, now = tokens.new_token(tokens.REFRESH), accounts.now()
    expires_at = min(now + accounts.settings.refresh_expiry, session_ends)
    await connection.execute(
        _SQL["insert_refresh_token"], tokens.digest(token), session_id, generation, now, expires_at
    )
    return token


def _signed_in(
    accounts: Accounts,
    user: User,
    *,
    now: datetime,
    expires_at: datetime,
    refresh_token: str,
    token: str | None = None,
) -> SignedIn:
    lifetime = accounts.settings.jwt_expiry
    return SignedIn(
        user=user,
        token=token,
        expires_in_seconds=int((expires_at - now).total_seconds()),
        access_token=access_tokens.issue_for_user(accounts.secret, user, now=now, lifetime=lifetime),
        access_expires_in_seconds=int(lifetime.total_seconds()),
        refresh_token=refresh_token,
    )


async def refresh(accounts: Accounts, refresh_token: str, client: Client) -> SignedIn:
    """The next access and refresh token of a session. A token that was used before ends its session.

    Of a session's tokens those of the current generation are good, and each use begins the next generation. The
    generation before is taken for `REUSE_GRACE` after that; it gets a token beside the current one, and whichever of
    them is used first makes the other one a token that was used before. So a thief within the grace is noticed too,
    by the next refresh of whoever comes second.

    Raises:
        InvalidRefreshTokenError: 401; RefreshTokenReusedError when two hold the token.
        RateLimitError: 429.
    """
    with accounts.counted("refresh"):
        await accounts.limit("refresh", client, times=12)
        async with accounts.database.transaction() as connection:
            refreshed = await _rotate(accounts, connection, refresh_token, client)
        if refreshed is None:  # raised only now: the end of the session must be committed
            raise RefreshTokenReusedError
        return refreshed


async def _rotate(accounts: Accounts, connection: Connection, token: str, client: Client) -> SignedIn | None:
    now = accounts.now()
    found = await connection.fetchrow(_SQL["find_refresh_token"], tokens.digest(token), now)
    if found is None or found["expired"]:
        raise InvalidRefreshTokenError
    session_id, generation, ends_at = found["session_id"], found["generation"], aware(found["expires_at"])
    behind = found["refresh_generation"] - generation
    if behind == 0:
        generation += 1
        await connection.execute(_SQL["begin_refresh_generation"], session_id, now)
        await connection.execute(_SQL["delete_expired_refresh_tokens"], session_id, now)
    elif behind == 1 and now - found["refreshed_at"] <= REUSE_GRACE:
        generation += 1
    else:
        await repository.delete_session_by_id(connection, session_id)
        await repository.audit(
            connection, "auth.refresh_reused", actor_id=found["user_id"], ip=client.ip, session_id=str(session_id)
        )
        return None
    user = await repository.find_user_of_session(connection, session_id, now)
    if user is None:
        raise InvalidRefreshTokenError
    following = await _add_refresh_token(accounts, connection, session_id, generation, ends_at)
    return _signed_in(accounts, user, now=now, expires_at=ends_at, refresh_token=following)


async def user_of(accounts: Accounts, token: str) -> User | None:
    """The user of a session, looked up each time: a session deleted by SQL is no session from then on."""
    async with accounts.database.transaction() as connection:
        return await repository.find_session_user(connection, tokens.digest(token), accounts.now())


async def user_of_session(accounts: Accounts, session_id: UUID) -> User | None:
    """The user of a session that an access token names; looked up each time too."""
    async with accounts.database.transaction() as connection:
        return await repository.find_user_of_session(connection, session_id, accounts.now())


async def sign_out(accounts: Accounts, session: str | UUID, client: Client) -> None:
    """End the session of that token, or of that id, if it is one."""
    async with accounts.database.transaction() as connection:
        if isinstance(session, UUID):
            actor = await repository.delete_session_by_id(connection, session)
        else:
            actor = await repository.delete_session(connection, tokens.digest(session))
        if actor is not None:
            await repository.audit(connection, "auth.logout", actor_id=actor, ip=client.ip)


async def sign_out_elsewhere(accounts: Accounts, user: User, client: Client, *, here_too: bool = False) -> None:
    """End every other session of the user, and with `here_too` this one."""
    scope = SignOutScope.GLOBAL if here_too else SignOutScope.OTHERS
    async with accounts.database.transaction() as connection:
        await repository.delete_other_sessions(connection, user.id, None if here_too else user.session_id)
        await repository.audit(connection, "auth.logout", actor_id=user.id, ip=client.ip, scope=scope.value)


async def sessions_of(accounts: Accounts, user: User) -> list[Session]:
    """Where a user is signed in, the session used last first."""
    async with accounts.database.transaction() as connection:
        return await repository.list_sessions(connection, user.id, accounts.now())


async def end(accounts: Accounts, user: User, session_id: UUID, client: Client) -> None:
    """End one session of the user.

    Raises:
        NotFoundError: 404, it is none of theirs.
    """
    async with accounts.database.transaction() as connection:
        if not await repository.delete_session_of(connection, user.id, session_id):
            raise NotFoundError
        await repository.audit(connection, "auth.logout", actor_id=user.id, ip=client.ip, session_id=str(session_id))

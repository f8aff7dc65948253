"""Signing in: whatever shows who somebody is, the way from there to a session is the same."""

from fluxbase.auth import emails, lockout, one_time, passwords, repository, sessions, tokens
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.errors import EmailNotConfirmedError, InvalidCredentialsError
from fluxbase.auth.model import Client, Proof, SecondStep, SignedIn, User
from fluxbase.auth.one_time import LIFETIMES, Purpose
from fluxbase.auth.second_factor import repository as factors
from fluxbase.db import Connection


async def sign_in(
    accounts: Accounts, *, email: str, password: str, client: Client, previous_token: str | None = None
) -> SignedIn | SecondStep:
    """Open a session; the one that `previous_token` belongs to ends (a session never outlives a sign-in).

    Raises:
        InvalidCredentialsError: 401, whether the address is unknown or the password wrong.
        AccountLockedError, EmailNotConfirmedError: 403.
        RateLimitError: 429, too many attempts from this address in a minute.
    """
    with accounts.counted("signin"):
        await accounts.limit("signin", client)
        known = await _verified(accounts, email, password, client)
        stronger = await passwords.hashed(password) if passwords.needs_rehash(known.password_hash) else None
        async with accounts.database.transaction() as connection:
            user = await repository.hold_credentials(connection, known)
            if user is None:  # deleted, or given another password, since it was read
                raise InvalidCredentialsError
            # Looked at again: of guesses that were made at once, none counts after the one that closed the address.
            await lockout.require_unlocked(accounts, connection, email)
            if accounts.settings.email_confirmation and user.email_confirmed_at is None:
                raise EmailNotConfirmedError
            if stronger is not None:
                await repository.replace_hash(connection, user.id, stronger)
            return await first_step_done(
                accounts, connection, user, client, Proof(("password",)), previous_token=previous_token
            )


async def first_step_done(
    accounts: Accounts,
    connection: Connection,
    user: User,
    client: Client,
    proof: Proof,
    *,
    previous_token: str | None = None,
) -> SignedIn | SecondStep:
    """A session for who has no second factor, a ticket to the second step for everybody else.

    `user` must be locked by this transaction. Failures are forgotten only at the end: a password that is known must not
    give fresh guesses at the second factor.
    """
    if not await factors.has_second_factor(connection, user.id):
        return await finish(accounts, connection, user, client, proof, previous_token=previous_token)
    method = f"{proof.methods[0]}:{proof.identity_id}" if proof.identity_id else proof.methods[0]
    ticket = await one_time.issue(connection, user, Purpose.SECOND_FACTOR, accounts.now(), method=method)
    await repository.audit(connection, "auth.second_factor_asked", actor_id=user.id, ip=client.ip)
    return SecondStep(ticket, int(LIFETIMES[Purpose.SECOND_FACTOR].total_seconds()))


async def finish(
    accounts: Accounts,
    connection: Connection,
    user: User,
    client: Client,
    proof: Proof,
    *,
    previous_token: str | None = None,
) -> SignedIn:
    """The session at the end of every way in."""
    await lockout.forget(connection, user.email)
    signed_in = await repository.mark_signed_in(connection, user.id, accounts.now())
    if previous_token is not None:
        await repository.delete_session(connection, tokens.digest(previous_token))
    await repository.audit(connection, "auth.login", actor_id=user.id, ip=client.ip, methods=list(proof.methods))
    return await sessions.open_session(accounts, connection, signed_in, client, proof)


async def _verified(accounts: Accounts, email: str, password: str, client: Client) -> repository.Credentials:
    """The credentials that address and password fit; whichever is wrong, it takes as long to say so."""
    address = emails.typed(email)
    async with accounts.database.transaction() as connection:
        await lockout.require_unlocked(accounts, connection, address)
        known = await repository.find_credentials(connection, address)
    if await passwords.matches(password, known.password_hash if known else None) and known is not None:
        return known
    actor = known.user_id if known else None
    async with accounts.database.transaction() as connection:
        await lockout.note_failure(accounts, connection, address)
        await repository.audit(connection, "auth.login_failed", actor_id=actor, ip=client.ip, email=address)
    raise InvalidCredentialsError

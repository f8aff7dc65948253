"""The second step of signing in: the ticket of the first, and a code."""

from uuid import UUID

from fluxbase.auth import lockout, one_time, signing_in
from fluxbase.auth import repository as accounts_repository
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.errors import InvalidCodeError
from fluxbase.auth.model import Client, Proof, SignedIn, User
from fluxbase.auth.one_time import Holder, Purpose
from fluxbase.auth.second_factor import checking
from fluxbase.auth.second_factor.errors import InvalidChallengeError, WrongCodeError
from fluxbase.db import Connection


async def sign_in(
    accounts: Accounts, *, challenge: str, code: str, client: Client, previous_token: str | None = None
) -> SignedIn:
    """Open the session that `challenge` was the ticket to.

    A wrong code counts like a wrong password, and leaves the ticket good.

    Raises:
        InvalidChallengeError, WrongCodeError: 401.
        AccountLockedError: 403.
        RateLimitError: 429.
    """
    with accounts.counted("totp"):
        await accounts.limit("signin", client)
        async with accounts.database.transaction() as connection:
            holder, user = await _holder(accounts, connection, challenge)
            await lockout.require_unlocked(accounts, connection, user.email)
            method = await checking.use_code(accounts, connection, user.id, code)
            if method is not None:
                await one_time.spend(connection, challenge, Purpose.SECOND_FACTOR, accounts.now())
                proof = _proof(holder, method)
                return await signing_in.finish(accounts, connection, user, client, proof, previous_token=previous_token)
            await lockout.note_failure(accounts, connection, user.email)
            await accounts_repository.audit(connection, "auth.second_factor_failed", actor_id=user.id, ip=client.ip)
        raise WrongCodeError


async def _holder(accounts: Accounts, connection: Connection, challenge: str) -> tuple[Holder, User]:
    try:
        holder = await one_time.peek(connection, challenge, Purpose.SECOND_FACTOR, accounts.now())
    except InvalidCodeError as error:
        raise InvalidChallengeError from error
    user = await accounts_repository.find_user(connection, holder.user_id)
    if user is None:
        raise InvalidChallengeError
    return holder, user


def _proof(holder: Holder, second: str) -> Proof:
    first, _, identity = (holder.method or "password").partition(":")
    return Proof((first, second), second_factor=True, identity_id=UUID(identity) if identity else None)

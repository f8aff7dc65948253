"""Turning the second factor on and off, by its user."""

from dataclasses import dataclass

from fluxbase.auth import proving
from fluxbase.auth import repository as accounts_repository
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.model import Client, User
from fluxbase.auth.second_factor import checking, codes, repository
from fluxbase.auth.second_factor.errors import AlreadyEnabledError, CodeRefusedError, NotEnabledError
from fluxbase.auth.second_factor.repository import Factor


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator needs; shown until a code of it was seen, and never again."""

    secret: str
    address: str


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a second factor is asked for, and how many recovery codes are left."""

    enabled: bool
    recovery_codes_left: int


async def status(accounts: Accounts, user: User) -> Status:
    """For the account's page."""
    async with accounts.database.transaction() as connection:
        return Status(
            await repository.has_second_factor(connection, user.id),
            await repository.count_recovery_codes(connection, user.id),
        )


async def begin(accounts: Accounts, user: User, *, password: str | None, issuer: str) -> Enrolment:
    """A fresh secret, which counts when `enable` has seen a code of it.

    Raises:
        WrongPasswordError, SignInAgainError, AccountLockedError: 403 (`proving.require`).
        AlreadyEnabledError: 409.
        RateLimitError: 429.
    """
    if (await status(accounts, user)).enabled:
        raise AlreadyEnabledError
    await proving.require(accounts, user, password=password)
    secret = codes.new_secret()
    async with accounts.database.transaction() as connection:
        sealed = checking.box(accounts).seal(secret)
        if not await repository.begin_enrolment(connection, user.id, sealed, accounts.now()):
            raise AlreadyEnabledError
    return Enrolment(secret, codes.address(secret, email=user.email, issuer=issuer))


async def pending(accounts: Accounts, user: User, *, issuer: str) -> Enrolment | None:
    """What `begin` showed, once more, while no code of it was seen yet; the page of a mistyped code needs it."""
    async with accounts.database.transaction() as connection:
        factor = await repository.find_factor(connection, user.id)
    if factor is None or factor.enabled_at is not None or _is_stale(accounts, factor):
        return None
    secret = checking.box(accounts).open(factor.sealed_secret)
    return Enrolment(secret, codes.address(secret, email=user.email, issuer=issuer))


def _is_stale(accounts: Accounts, factor: Factor) -> bool:
    """Whether the proof that `begin` asked for is too long ago: who stole the session since gave none."""
    return accounts.now() - factor.created_at > proving.RECENT


async def enable(accounts: Accounts, user: User, code: str, client: Client) -> list[str]:
    """Ask for the second factor from now on; ten recovery codes, shown this once.

    Every other session ends: those were opened without it.

    Raises:
        CodeRefusedError: 403.
        NotEnabledError, AlreadyEnabledError: 409, `begin` was not called, or it is on.
        RateLimitError: 429.
    """
    await accounts.limiter.check("2fa", str(user.id), per_minute=accounts.settings.signin_attempts_per_minute)
    fresh = codes.new_recovery_codes()
    async with accounts.database.transaction() as connection:
        factor = await repository.find_factor(connection, user.id)
        if factor is not None and factor.enabled_at is not None:
            raise AlreadyEnabledError
        if factor is None or _is_stale(accounts, factor):
            raise NotEnabledError("Begin with /api/v1/auth/2fa/setup, and enter a code within ten minutes.")
        if not await checking.use_totp(accounts, connection, user.id, factor, code):
            raise CodeRefusedError
        await repository.enable(connection, user.id, accounts.now())
        await repository.replace_recovery_codes(connection, user.id, fresh)
        await accounts_repository.delete_other_sessions(connection, user.id, user.session_id)
        if user.session_id is not None:
            await accounts_repository.raise_session(connection, user.session_id, "totp")
        await accounts_repository.audit(connection, "user.2fa_enabled", actor_id=user.id, ip=client.ip)
    return fresh


async def disable(
    accounts: Accounts, user: User, *, password: str | None = None, code: str | None = None, client: Client
) -> None:
    """Ask for no second factor any more. Proven by the password, or by a code where there is no password.

    Raises:
        WrongPasswordError, CodeRefusedError, AccountLockedError: 403.
        NotEnabledError: 409.
        RateLimitError: 429.
    """
    if not (await status(accounts, user)).enabled:
        raise NotEnabledError
    await proving.require(accounts, user, password=password, code=code)
    async with accounts.database.transaction() as connection:
        if not await repository.has_second_factor(connection, user.id):
            raise NotEnabledError
        await repository.delete(connection, user.id)
        await accounts_repository.lower_sessions(connection, user.id)
        await accounts_repository.audit(connection, "user.2fa_disabled", actor_id=user.id, ip=client.ip)


async def renew_recovery_codes(
    accounts: Accounts, user: User, *, password: str | None = None, code: str | None = None, client: Client
) -> list[str]:
    """Ten new recovery codes, shown this once; those before are worthless. Proven as in `disable`.

    Raises:
        WrongPasswordError, CodeRefusedError, AccountLockedError: 403.
        NotEnabledError: 409.
        RateLimitError: 429.
    """
    if not (await status(accounts, user)).enabled:
        raise NotEnabledError
    await proving.require(accounts, user, password=password, code=code)
    fresh = codes.new_recovery_codes()
    async with accounts.database.transaction() as connection:
        if not await repository.has_second_factor(connection, user.id):
            raise NotEnabledError
        await repository.replace_recovery_codes(connection, user.id, fresh)
        await accounts_repository.audit(connection, "user.recovery_codes_renewed", actor_id=user.id, ip=client.ip)
    return fresh

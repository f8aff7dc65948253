"""What can be done with accounts. Each method opens its own transactions and is called by API and pages alike."""

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from fluxbase.auth import access_tokens, emails, passwords, repository, tokens
from fluxbase.auth.errors import (
    EmailExistsError,
    InvalidCredentialsError,
    SignupRefusedError,
    WrongPasswordError,
)
from fluxbase.auth.model import User
from fluxbase.db import Connection, Database
from fluxbase.monitoring.metrics import Metrics
from fluxbase.ratelimit import RateLimiter, address_subject
from fluxbase.resources import Resources
from fluxbase.settings import Settings, SignupPolicy

# Sign-ups cost a bcrypt each and whole offices share an address: a limit, but a wide one.
_SIGNUPS_PER_SIGNIN = 6


async def _nobody_is_invited(_connection: Connection, _email: str, _token: str | None) -> bool:
    return False


async def _nothing_hangs_on_it(_database: Database, _user: User, *, confirmed: bool) -> None:
    del confirmed


class BeforeDelete(Protocol):
    """A hook that is called before an account is deleted (Callable cannot name a keyword argument)."""

    async def __call__(self, database: Database, user: User, /, *, confirmed: bool) -> None:
        """Release what hangs on `user`, or raise why the account cannot go."""
        ...


@dataclass(frozen=True, slots=True)
class AccountHooks:
    """What an application on Fluxbase has to say about accounts.

    Attributes:
        may_sign_up: Whether this address with this invite token may make an account while sign-up is by invite.
        before_delete: Releases what hangs on an account, or raises why it cannot be deleted. `confirmed` is the
            user's word that things which belong to nobody else may go as well.
    """

    may_sign_up: Callable[[Connection, str, str | None], Awaitable[bool]] = _nobody_is_invited
    before_delete: BeforeDelete = field(default=_nothing_hangs_on_it)


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from, for sessions and the audit trail."""

    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was just opened; its tokens exist here and in the client's hands only.

    Attributes:
        user: Whose it is.
        token: The browser's, opaque, as long-lived as the session.
        expires_in_seconds: Until the session ends.
        access_token: The JWT of every other client.
        access_expires_in_seconds: Until that expires.
    """

    user: User
    token: str
    expires_in_seconds: int
    access_token: str
    access_expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class SignupState:
    """What a sign-up page must know: whether it makes the first account, and the policy for later ones."""

    first_account: bool
    policy: SignupPolicy


@dataclass(frozen=True, slots=True)
class Accounts:
    """The use cases. Made for each request from what the process holds open; costs nothing to make."""

    resources: Resources
    settings: Settings
    limiter: RateLimiter
    metrics: Metrics
    hooks: AccountHooks = AccountHooks()

    @property
    def _database(self) -> Database:
        return self.resources.database

    async def signup_state(self) -> SignupState:
        """For the page that offers to sign up."""
        async with self._database.transaction() as connection:
            return SignupState(not await repository.has_accounts(connection), self.settings.signup_policy)

    async def sign_up(
        self,
        *,
        email: str,
        password: str,
        client: Client,
        invite_token: str | None = None,
        user_metadata: Mapping[str, Any] | None = None,
    ) -> SignedIn:
        """Make an account and a session for it. The first account of an installation is always allowed.

        Raises:
            InvalidEmailError, WeakPasswordError: 400.
            SignupRefusedError: 403, the policy does not let this address in.
            EmailExistsError: 409.
            RateLimitError: 429.
        """
        with self._counted("signup"):
            per_minute = self.settings.signin_attempts_per_minute * _SIGNUPS_PER_SIGNIN
            await self.limiter.check("signup", address_subject(client.ip), per_minute=per_minute)
            address = emails.cleaned(email)
            passwords.check_strength(password, shortest=self.settings.password_min_length, email=address)
            password_hash = await passwords.hashed(password)
            async with self._database.transaction() as connection:
                if not await self._may_sign_up(connection, address, invite_token):
                    raise SignupRefusedError(self._refusal())
                user = await repository.add_user(
                    connection, email=address, password_hash=password_hash, user_metadata=user_metadata or {}
                )
                if user is None:
                    raise EmailExistsError
                await repository.audit(connection, "user.signup", actor_id=user.id, ip=client.ip, email=user.email)
                return await self._open_session(connection, user, client)

    async def _may_sign_up(self, connection: Connection, email: str, token: str | None) -> bool:
        if self.settings.signup_policy is SignupPolicy.OPEN:
            return True
        # Otherwise a closed installation could never be used: somebody has to be its first account.
        if await repository.no_account_yet(connection):
            return True
        if self.settings.signup_policy is SignupPolicy.CLOSED:
            return False
        return await self.hooks.may_sign_up(connection, email, token)

    def _refusal(self) -> str:
        if self.settings.signup_policy is SignupPolicy.INVITED:
            return "This installation takes new accounts by invite only: open the link of an invite to this address."
        return "This installation takes no new accounts."

    async def sign_in(
        self, *, email: str, password: str, client: Client, previous_token: str | None = None
    ) -> SignedIn:
        """Open a session; the one that `previous_token` belongs to ends (a session never outlives a sign-in).

        Raises:
            InvalidCredentialsError: 401, whether the address is unknown or the password wrong.
            RateLimitError: 429, too many attempts from this address in a minute.
        """
        with self._counted("signin"):
            per_minute = self.settings.signin_attempts_per_minute
            await self.limiter.check("signin", address_subject(client.ip), per_minute=per_minute)
            known = await self._verified(email, password, client)
            stronger = await passwords.hashed(password) if passwords.needs_rehash(known.password_hash) else None
            async with self._database.transaction() as connection:
                user = await repository.mark_signed_in(connection, known, self.resources.now())
                if user is None:  # deleted, or given another password, since it was read
                    raise InvalidCredentialsError
                if stronger is not None:
                    await repository.replace_hash(connection, user.id, stronger)
                if previous_token is not None:
                    await repository.delete_session(connection, tokens.digest(previous_token))
                await repository.audit(connection, "auth.login", actor_id=user.id, ip=client.ip)
                return await self._open_session(connection, user, client)

    async def _verified(self, email: str, password: str, client: Client) -> repository.Credentials:
        """The credentials that address and password fit; whichever is wrong, it takes as long to say so."""
        async with self._database.transaction() as connection:
            known = await repository.find_credentials(connection, _storable(email.strip()))
        if await passwords.matches(password, known.password_hash if known else None) and known is not None:
            return known
        shown, actor = _storable(email[: emails.LONGEST]), known.user_id if known else None
        async with self._database.transaction() as connection:
            await repository.audit(connection, "auth.login_failed", actor_id=actor, ip=client.ip, email=shown)
        raise InvalidCredentialsError

    @contextmanager
    def _counted(self, method: str) -> Generator[None]:
        """Count an attempt, and what became of it."""
        self.metrics.auth_attempts.labels(method).inc()
        try:
            yield
        except Exception as error:
            self.metrics.auth_failure.labels(method, getattr(error, "code", "internal_error")).inc()
            raise
        self.metrics.auth_success.labels(method).inc()

    async def _open_session(self, connection: Connection, user: User, client: Client) -> SignedIn:
        token, now = tokens.new_token(), self.resources.now()
        lifetime = timedelta(days=self.settings.session_days)
        session_id = await repository.add_session(
            connection,
            user_id=user.id,
            token_hash=tokens.digest(token),
            user_agent=client.user_agent,
            ip=client.ip,
            now=now,
            expires_at=now + lifetime,
        )
        expiry = self.settings.jwt_expiry
        access = access_tokens.issue_for_user(
            self.resources.addresses.secret, user, session_id, now=now, lifetime=expiry
        )
        return SignedIn(
            user=replace(user, session_id=session_id),
            token=token,
            expires_in_seconds=int(lifetime.total_seconds()),
            access_token=access,
            access_expires_in_seconds=int(expiry.total_seconds()),
        )

    async def user_of(self, token: str) -> User | None:
        """The user of a session, looked up each time: a session deleted by SQL is no session from then on."""
        async with self._database.transaction() as connection:
            return await repository.find_session_user(connection, tokens.digest(token), self.resources.now())

    async def user_of_session(self, session_id: UUID) -> User | None:
        """The user of a session that an access token names; looked up each time too."""
        async with self._database.transaction() as connection:
            return await repository.find_user_of_session(connection, session_id, self.resources.now())

    async def sign_out(self, session: str | UUID, *, client: Client | None = None) -> None:
        """End the session of that token, or of that id, if it is one."""
        async with self._database.transaction() as connection:
            if isinstance(session, UUID):
                actor = await repository.delete_session_by_id(connection, session)
            else:
                actor = await repository.delete_session(connection, tokens.digest(session))
            if actor is not None:
                await repository.audit(connection, "auth.logout", actor_id=actor, ip=client.ip if client else None)

    async def update_metadata(self, user: User, metadata: Mapping[str, Any]) -> User:
        """Replace what the user says of themselves."""
        async with self._database.transaction() as connection:
            return await repository.set_metadata(connection, user.id, metadata, self.resources.now())

    async def change_password(self, user: User, *, current: str, new: str, client: Client | None = None) -> None:
        """Set a new password and end every other session of the user.

        Raises:
            WrongPasswordError: 403, `current` is not the password.
            WeakPasswordError: 400.
            RateLimitError: 429.
        """
        passwords.check_strength(new, shortest=self.settings.password_min_length, email=user.email)
        await self._require_password(user, current)
        password_hash = await passwords.hashed(new)
        async with self._database.transaction() as connection:
            await repository.set_password(connection, user.id, password_hash, self.resources.now())
            await repository.delete_other_sessions(connection, user.id, user.session_id)
            await repository.audit(
                connection, "user.password_changed", actor_id=user.id, ip=client.ip if client else None
            )

    async def delete_account(
        self, user: User, *, password: str, delete_organizations: bool = False, client: Client | None = None
    ) -> None:
        """Delete the account with its sessions and what the hook releases.

        Raises:
            WrongPasswordError: 403.
            ConflictError: 409, something of the application stands in the way; its text says what.
            RateLimitError: 429.
        """
        await self._require_password(user, password)
        await self.hooks.before_delete(self._database, user, confirmed=delete_organizations)
        async with self._database.transaction() as connection:
            await repository.audit(connection, "user.deleted", actor_id=user.id, ip=client.ip if client else None)
            await repository.delete_user(connection, user.id)

    async def _require_password(self, user: User, password: str) -> None:
        # Limited like sign-in: a stolen session must not become a way to try passwords.
        await self.limiter.check("password", str(user.id), per_minute=self.settings.signin_attempts_per_minute)
        async with self._database.transaction() as connection:
            stored = await repository.find_password(connection, user.id)
        if not await passwords.matches(password, stored):
            raise WrongPasswordError


def _storable(text: str) -> str:
    """What somebody typed, as PostgreSQL takes it: without NUL and without half characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")

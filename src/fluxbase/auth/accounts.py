"""What every use case of accounts stands on, and what an application has to say about them."""

from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from fluxbase.auth.encryption import SecretBox
from fluxbase.auth.model import Client, User
from fluxbase.db import Connection, Database
from fluxbase.monitoring.metrics import Metrics
from fluxbase.ratelimit import RateLimiter, address_subject
from fluxbase.resources import Resources
from fluxbase.settings import Settings


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
        pages: Where links lead, by purpose (confirmation, recovery, magiclink, second_factor); paths of the
            application's own pages, which get `?token=`. Fluxbase has a plain page for those that are not named.
    """

    may_sign_up: Callable[[Connection, str, str | None], Awaitable[bool]] = _nobody_is_invited
    before_delete: BeforeDelete = field(default=_nothing_hangs_on_it)
    pages: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Accounts:
    """What the use cases need. Made for each request from what the process holds open; costs nothing to make."""

    resources: Resources
    settings: Settings
    limiter: RateLimiter
    metrics: Metrics
    hooks: AccountHooks = field(default_factory=AccountHooks)

    @property
    def database(self) -> Database:
        """The runtime's pool."""
        return self.resources.database

    @property
    def secret(self) -> str:
        """The installation's secret."""
        return self.resources.addresses.secret

    def now(self) -> datetime:
        """The clock of this process."""
        return self.resources.now()

    def box(self, purpose: str) -> SecretBox:
        """What seals secrets of `purpose` at rest."""
        return SecretBox(self.secret, purpose=purpose)

    @contextmanager
    def counted(self, method: str) -> Generator[None]:
        """Count an attempt, and what became of it."""
        self.metrics.auth_attempts.labels(method).inc()
        try:
            yield
        except Exception as error:
            self.metrics.auth_failure.labels(method, getattr(error, "code", "internal_error")).inc()
            raise
        self.metrics.auth_success.labels(method).inc()

    async def limit(self, name: str, client: Client, *, times: int = 1) -> None:
        """Let an address do `name` as often in a minute as it may sign in, or `times` as often.

        Raises:
            RateLimitError: 429.
        """
        per_minute = self.settings.signin_attempts_per_minute * times
        await self.limiter.check(name, address_subject(client.ip), per_minute=per_minute)

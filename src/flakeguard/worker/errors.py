"""What a processor says when a job cannot be done now, and which kind of trouble any other error is.

The kinds are the worker document's; what follows from each is decided in `retry_policy`.
"""

import errno

import asyncpg
import pydantic
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from flakeguard.worker.retry_policy import Kind
from fluxbase.errors import FluxbaseError, InvalidRequestError, NotFoundError, RateLimitError, UnavailableError


class RetryLater(FluxbaseError):  # noqa: N818 -- it says what to do, not what is wrong
    """The job cannot be done now.

    `seconds` is how long to wait at least (None: as the retry policy has it). `counts` is whether this uses up one of
    the job's tries: a network that failed does, a rate limit or an outage of our own servers does not.
    """

    code = "retry_later"

    def __init__(self, seconds: float | None = None, *, counts: bool = True, message: str = "") -> None:
        super().__init__(message)
        self.seconds = seconds
        self.counts = counts


class InvalidJobError(InvalidRequestError):
    """A job's data is not what its name promises; trying again cannot help."""

    code = "invalid_job"


class NoAppError(UnavailableError):
    """The job asks GitHub, and this worker has no key of the App; another worker may have it."""

    def __init__(self) -> None:
        super().__init__("this worker has no key of the GitHub App: set GITHUB_APP_ID and GITHUB_PRIVATE_KEY")


class PoisonousJobError(InvalidRequestError):
    """A job that workers began with again and again, and never finished nor failed."""

    code = "poisonous_job"


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS})
_REDIS_AWAY = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    ReadOnlyError,
    OutOfMemoryError,  # it is full: maxmemory
    ClusterDownError,
    TryAgainError,
)
_NEWER_SCHEMA = (asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError)
_DATABASE_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # it shuts down, or starts
    asyncpg.InsufficientResourcesError,  # disk full, out of memory, too many connections
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby: the primary has just changed
    asyncpg.InvalidAuthorizationSpecificationError,  # the password is being changed: no job's fault
    *_NEWER_SCHEMA,  # migrated by a newer version, which is not everywhere yet: its workers can do it
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    UnavailableError,
)


def kind_of(error: BaseException) -> Kind:
    """Which row of the worker document's table `error` belongs to.

    A bare network error (OSError, TimeoutError) comes from PostgreSQL or Redis: what talks to GitHub raises errors of
    its own, on `RetryLater`. Anything not known is a processing error.
    """
    match error:
        case RetryLater():
            kind = Kind.NETWORK if error.counts else Kind.RATE_LIMIT
        case RateLimitError():
            kind = Kind.RATE_LIMIT
        case InvalidRequestError() | NotFoundError() | pydantic.ValidationError():
            kind = Kind.VALIDATION
        case _ if _cannot_be_stored(error):
            kind = Kind.VALIDATION
        case _ if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _FULL):
            kind = Kind.SYSTEM
        case _ if _is_outage(error):
            kind = Kind.OUTAGE
        case OSError() | RedisError():  # TimeoutError is one
            kind = Kind.NETWORK
        case _:
            kind = Kind.PROCESSING
    return kind


def _cannot_be_stored(error: BaseException) -> bool:
    """A value that no column takes: a number too large, text with a NUL. PostgreSQL refuses it, or its driver does."""
    return isinstance(error, asyncpg.DataError) or (
        isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    )


def _is_outage(error: BaseException) -> bool:
    if isinstance(error, ConnectionError) or "Connect call failed" in str(error):  # asyncio's of several addresses
        return True
    return isinstance(error, (*_REDIS_AWAY, *_DATABASE_AWAY)) and not isinstance(
        error, (ValueError, AuthenticationError)
    )


def blames_the_schema(error: BaseException) -> bool:
    """Whether `error` is an outage only where the tables are another version's than the program: else it is our bug."""
    return isinstance(error, _NEWER_SCHEMA)


def wait_asked_for(error: BaseException) -> float | None:
    """The seconds that whoever refused asks to wait for (GitHub's Retry-After or X-RateLimit-Reset), if it said so."""
    if isinstance(error, RetryLater):
        return error.seconds
    if isinstance(error, RateLimitError):
        return float(error.retry_after_seconds)
    return None

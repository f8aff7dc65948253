"""From settings to addresses: the servers that are named, or the machine's embedded ones."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager

import asyncpg
import structlog
from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from fluxbase.db.migrate import migrate
from fluxbase.db.roles import ensure_runtime_role
from fluxbase.db.versions import how_to_migrate, may_migrate, missing_migrations
from fluxbase.embedded import Home, join_servers
from fluxbase.embedded.home import default_home
from fluxbase.errors import ConfigurationError
from fluxbase.resources import Addresses, connect_redis
from fluxbase.settings import Settings

logger = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 5.0
_MISTAKES = (AuthenticationError, AuthenticationWrongNumberOfArgsError, NoPermissionError, ValueError)
_TEXTS_OF_MISTAKES = ("DB index", "SELECT is not allowed", "cluster support disabled")

type Say = Callable[[str], None]


def home_of(settings: Settings) -> Home:
    """FLAKEGUARD_HOME, or its default for this user."""
    return Home((settings.home or default_home()).expanduser().absolute())


def secret_of(settings: Settings) -> str:
    """The installation's secret: the setting, or what the home holds, made when missing."""
    return settings.jwt_secret.get_secret_value() if settings.jwt_secret else home_of(settings).secret()


@contextmanager
def reach_servers(settings: Settings, history: str, say: Say = lambda _message: None) -> Generator[Addresses]:
    """Addresses of a migrated database and of Redis, usable as long as the block lasts.

    Without addresses the machine's embedded servers are joined, or started. The database must have been migrated
    beforehand in production, and where nobody told the owner's address. `history` names the migrations, and the
    embedded database. `say` is told what a person should know.

    Raises:
        ConfigurationError: A server is missing or cannot be used; the text says what to do.
    """
    if settings.database_owner_url is not None and settings.database_url is None:
        raise ConfigurationError(
            "the owner's database address is set and the everyday one is not: set DATABASE_URL too"
        )
    database = settings.database_url.get_secret_value() if settings.database_url else ""
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else ""
    if database and redis_url:
        yield _prepared(settings, database, redis_url, history, say)
        return
    home = home_of(settings)
    say(f"embedded servers in {home.path}" + (" (REDIS_URL is not set)" if database else ""))
    with join_servers(home, history) as servers:
        yield _prepared(settings, database or servers.owner_dsn, redis_url or servers.redis_url, history, say)


@contextmanager
def owner_address(settings: Settings, history: str) -> Generator[str]:
    """The owner's address of the database, as it is, usable as long as the block lasts.

    Raises:
        ConfigurationError: An embedded server does not start.
    """
    named = settings.database_owner_url or settings.database_url
    if named is not None:
        yield named.get_secret_value()
        return
    with join_servers(home_of(settings), history) as servers:
        yield servers.owner_dsn


@contextmanager
def redis_address(settings: Settings, history: str) -> Generator[str]:
    """The address of Redis, usable as long as the block lasts.

    Raises:
        ConfigurationError: An embedded server does not start.
    """
    if settings.redis_url is not None:
        yield settings.redis_url.get_secret_value()
        return
    with join_servers(home_of(settings), history) as servers:
        yield servers.redis_url


def _prepared(settings: Settings, database: str, redis_url: str, history: str, say: Say) -> Addresses:
    secret = secret_of(settings)
    _require_redis(redis_url)
    try:
        owner = _owner(settings, database, history)
        if owner is None or settings.is_production:
            _require_head(database, history)  # asked with the everyday address: nobody else's is needed
        else:
            migrate(owner, history)
        runtime = database if owner != database else asyncio.run(ensure_runtime_role(database, secret))
    except (OSError, asyncpg.PostgresError) as error:
        raise ConfigurationError(
            f"the database cannot be used ({type(error).__name__}: {error}); is its address right, and does it run?"
        ) from error
    if settings.database_url is not None and runtime != database:
        say("one database address is set: everyday work uses the role fluxbase_runtime, which owns nothing")
    return Addresses(owner_dsn=owner, runtime_dsn=runtime, redis_url=redis_url, secret=secret)


def _require_redis(url: str) -> None:
    """Refuse an address that will not do. One that nobody answers at is let pass: who needs Redis waits for it.

    So is one whose Redis takes no commands now: its disk is full, or its primary is away.
    """
    try:
        asyncio.run(_ask_redis(url))
    except (RedisError, OSError, ValueError) as error:
        if _is_mistake(error):
            raise ConfigurationError(
                f"Redis cannot be used ({type(error).__name__}: {error}); are address and password right (REDIS_URL)?"
            ) from error
        logger.warning("redis is away", error=f"{type(error).__name__}: {error}")


def _is_mistake(error: BaseException) -> bool:
    """Whether waiting will not help. A cluster's error has the one of its server beneath it."""
    if isinstance(error, _MISTAKES):
        return True
    if isinstance(error, ResponseError) and any(text in str(error) for text in _TEXTS_OF_MISTAKES):
        return True
    beneath = error.__cause__ or error.__context__
    return beneath is not None and _is_mistake(beneath)


async def _ask_redis(url: str) -> None:
    client = connect_redis(url)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await client.ping()  # pyright: ignore[reportUnknownMemberType, reportGeneralTypeIssues] -- typed as sync or async
    finally:
        await client.aclose()


def _owner(settings: Settings, database: str, history: str) -> str | None:
    """The owner's address: the one that is named so, or the only one if it is the owner's; None when nobody told it."""
    if settings.database_owner_url is not None:
        return settings.database_owner_url.get_secret_value()
    return database if may_migrate(database, history) else None


def _require_head(database: str, history: str) -> None:
    if missing := missing_migrations(database, history):
        raise ConfigurationError(f"the database lacks the migration {missing}: first run {how_to_migrate(history)}")

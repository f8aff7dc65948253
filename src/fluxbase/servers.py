"""From settings to addresses: the servers that are named, or the machine's embedded ones."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager

import asyncpg

from fluxbase.db.migrate import migrate, missing_migrations
from fluxbase.db.roles import ensure_runtime_role
from fluxbase.embedded import Home, join_servers
from fluxbase.embedded.home import default_home
from fluxbase.errors import ConfigurationError
from fluxbase.resources import Addresses
from fluxbase.settings import Settings

type Say = Callable[[str], None]


def home_of(settings: Settings) -> Home:
    """FLAKEGUARD_HOME, or its default for this user."""
    return Home((settings.home or default_home()).expanduser().absolute())


@contextmanager
def reach_servers(settings: Settings, history: str, say: Say = lambda _message: None) -> Generator[Addresses]:
    """Addresses of a migrated database and of Redis, usable as long as the block lasts.

    Without addresses the machine's embedded servers are joined, or started. In production the database must have been
    migrated beforehand. `history` names the migrations, and the embedded database. `say` is told what a person should
    know.

    Raises:
        ConfigurationError: A server is missing or cannot be used; the text says what to do.
    """
    database = settings.database_url.get_secret_value() if settings.database_url else ""
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else ""
    if database and redis_url:
        yield _prepared(settings, database, redis_url, history, say)
        return
    home = home_of(settings)
    say(f"embedded servers in {home.path}" + (" (REDIS_URL is not set)" if database else ""))
    with join_servers(home, history) as servers:
        yield _prepared(settings, database or servers.owner_dsn, redis_url or servers.redis_url, history, say)


def _prepared(settings: Settings, database: str, redis_url: str, history: str, say: Say) -> Addresses:
    secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else home_of(settings).secret()
    owner = settings.database_owner_url.get_secret_value() if settings.database_owner_url else database
    try:
        _bring_to_head(settings, owner, history)
        if settings.database_owner_url is not None:
            return Addresses(owner_dsn=owner, runtime_dsn=database, redis_url=redis_url, secret=secret)
        runtime = asyncio.run(ensure_runtime_role(owner, secret))
    except (OSError, asyncpg.PostgresError) as error:
        raise ConfigurationError(
            f"the database cannot be used ({type(error).__name__}: {error}); is its address right, and does it run?"
        ) from error
    if settings.database_url is not None:
        say("one database address is set: everyday work uses the role fluxbase_runtime, which owns nothing")
    return Addresses(owner_dsn=owner, runtime_dsn=runtime, redis_url=redis_url, secret=secret)


def _bring_to_head(settings: Settings, owner: str, history: str) -> None:
    if not settings.is_production:
        migrate(owner, history)
    elif missing := missing_migrations(owner, history):
        raise ConfigurationError(f"the database lacks the migration {missing}: run `flakeguard db migrate` first")

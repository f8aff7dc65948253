"""`fluxbase migrate` and `fluxbase status`."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import asyncpg
import typer

from fluxbase.cli.output import AsJson, ExitCode, fail, print_json, print_table, result
from fluxbase.cli.starting import HISTORY, settings_of
from fluxbase.db.migrate import migrate as run_migrations
from fluxbase.db.versions import missing_migrations
from fluxbase.embedded import join_servers
from fluxbase.errors import ConfigurationError
from fluxbase.monitoring.health import installed_version
from fluxbase.resources import connect_redis
from fluxbase.servers import home_of
from fluxbase.settings import Settings

_PATIENCE_SECONDS = 5


def migrate() -> None:
    """Bring the database to this version's schema. Safe to run again, and from several machines at once."""
    with _places(settings_of()) as places:
        run_migrations(places.owner_dsn, HISTORY)
    result("the database is at the newest schema")


def status(*, json_: AsJson = False) -> None:
    """Say whether database and Redis answer and nothing is missing; exit code 1 when something is."""
    with _places(settings_of()) as places:
        found = _Status(
            version=installed_version(),
            database="connected",
            missing_migration=missing_migrations(places.owner_dsn, HISTORY),
            redis=asyncio.run(_redis_state(places.redis_url)),
        )
    if json_:
        print_json(asdict(found))
    else:
        print_table(
            ("what", "state"), [{"what": name, "state": value or "none"} for name, value in asdict(found).items()], ""
        )
    raise typer.Exit(int(ExitCode.OK if found.is_well else ExitCode.FINDINGS))


@dataclass(frozen=True, slots=True)
class _Status:
    version: str
    database: str
    missing_migration: str | None
    redis: str

    @property
    def is_well(self) -> bool:
        return self.missing_migration is None and self.redis == "connected"


@dataclass(frozen=True, slots=True)
class _Places:
    owner_dsn: str
    redis_url: str


@contextmanager
def _places(settings: Settings) -> Generator[_Places]:
    """The owner's database and Redis for the block; a database that cannot be used ends the command with what to do."""
    database = settings.database_owner_url or settings.database_url
    redis = settings.redis_url
    try:
        if database is not None and redis is not None:
            yield _Places(database.get_secret_value(), redis.get_secret_value())
            return
        with join_servers(home_of(settings), HISTORY) as servers:
            yield _Places(
                database.get_secret_value() if database else servers.owner_dsn,
                redis.get_secret_value() if redis else servers.redis_url,
            )
    except ConfigurationError as error:
        fail(ExitCode.UNREACHABLE, str(error))
    except (OSError, asyncpg.PostgresError) as error:
        fail(
            ExitCode.UNREACHABLE,
            f"the database cannot be used ({type(error).__name__}: {error})",
            hint="Is its address right (database.url, database.owner_url), and does it run?",
        )


async def _redis_state(url: str) -> str:
    client = connect_redis(url)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await client.ping()  # pyright: ignore[reportUnknownMemberType, reportGeneralTypeIssues] -- typed as sync or async
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is what a status reports
        return f"unreachable ({type(error).__name__}: {error})"
    else:
        return "connected"
    finally:
        await client.aclose()

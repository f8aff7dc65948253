"""`fluxbase migrate`, `fluxbase url` and `fluxbase status`."""

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
from fluxbase.errors import ConfigurationError
from fluxbase.monitoring.health import installed_version
from fluxbase.resources import connect_redis
from fluxbase.servers import owner_address, redis_address

_PATIENCE_SECONDS = 5


def migrate() -> None:
    """Bring the database to this version's schema. Safe to run again, and from several machines at once."""
    settings = settings_of()
    with _what_to_do(), owner_address(settings, HISTORY) as owner:
        run_migrations(owner, HISTORY)
    result("the database is at the newest schema")


def url(*, json_: AsJson = False) -> None:
    """Print the owner's address of the database, for psql and pg_dump; an embedded one holds while its servers run."""
    settings = settings_of()
    with _what_to_do(), owner_address(settings, HISTORY) as owner:
        if json_:
            print_json({"url": owner})
        else:
            result(owner)


def status(*, json_: AsJson = False) -> None:
    """Say whether database and Redis answer and nothing is missing; exit code 1 when something is."""
    settings = settings_of()
    with _what_to_do(), owner_address(settings, HISTORY) as owner, redis_address(settings, HISTORY) as redis:
        found = _Status(
            version=installed_version(),
            database="connected",
            missing_migration=missing_migrations(owner, HISTORY),
            redis=asyncio.run(_redis_state(redis)),
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


@contextmanager
def _what_to_do() -> Generator[None]:
    """A database that cannot be used ends the command with what to do."""
    try:
        yield
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

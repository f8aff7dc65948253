"""`flakeguard db`: the database, for operators."""

from collections.abc import Generator
from contextlib import contextmanager

import asyncpg
import typer

from flakeguard.cli.output import ExitCode, fail, stdout
from flakeguard.cli.starting import read_settings
from flakeguard.settings import FlakeGuardSettings
from fluxbase.db.migrate import migrate as run_migrations
from fluxbase.db.versions import missing_migrations
from fluxbase.errors import ConfigurationError
from fluxbase.servers import owner_address

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Migrate the database, or say where it is.")


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema. Safe to run again, and from several machines at once."""
    with _owner_address(read_settings()) as owner:
        run_migrations(owner)
        stdout().print("the database is at the newest schema")


@app.command()
def status() -> None:
    """Say whether the database has every migration; exit code 1 when it has not."""
    with _owner_address(read_settings()) as owner:
        missing = missing_migrations(owner)
    stdout().print(f"missing: {missing}" if missing else "the database is at the newest schema")
    raise typer.Exit(int(missing is not None))


@app.command()
def url() -> None:
    """Print the owner's address of the embedded database, for psql and pg_dump, while its servers run."""
    with _owner_address(read_settings()) as owner:
        stdout().print(owner, soft_wrap=True)


@contextmanager
def _owner_address(settings: FlakeGuardSettings) -> Generator[str]:
    """The owner's address for the block; a database that cannot be used ends the command with what to do."""
    try:
        with owner_address(settings, "flakeguard") as owner:
            yield owner
    except ConfigurationError as error:
        fail(ExitCode.UNREACHABLE, str(error))
    except (OSError, asyncpg.PostgresError) as error:
        fail(
            ExitCode.UNREACHABLE,
            f"the database cannot be used ({type(error).__name__}: {error})",
            hint="Is its address right (FG_DATABASE_OWNER_DSN, FG_DATABASE_DSN), and does it run?",
        )

"""What every command that needs the servers begins with: settings, logs, addresses, resources."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, TextIO

import asyncpg

from fluxbase.cli.output import ExitCode, fail, say
from fluxbase.errors import ConfigurationError, ConflictError, FluxbaseError, NotFoundError
from fluxbase.http.problem import is_outage
from fluxbase.monitoring import configure_logging
from fluxbase.resources import Addresses, Resources, open_resources
from fluxbase.servers import reach_servers
from fluxbase.settings import Settings
from fluxbase.settings.reading import read_settings

HISTORY = "fluxbase"
"""The migrations of `fluxbase serve`: its own only. Also the embedded database's name."""
_REFUSED_VALUES = ("22", "23")  # classes of SQLSTATE: no such value, a constraint
_LETS_NOBODY_IN = ("08", "28", "3D", "53300", "57P")  # connection, sign-in, no such database, too many, shut down


def settings_of(**overrides: Any) -> Settings:
    """The settings; one that cannot be used ends the command."""
    try:
        return read_settings(Settings, **overrides)
    except ConfigurationError as error:
        fail(ExitCode.USAGE, str(error), hint="docs/configuration.md lists every setting.")


@contextmanager
def reached(settings: Settings, *, quiet: bool = True, logs_to: TextIO | None = None) -> Generator[Addresses]:
    """Migrated servers for the block; a server that cannot be used ends the command with what to do.

    What serves gives `logs_to`, and then also writes to the folder of the settings.
    """
    try:
        configure_logging(
            level=settings.log_level,
            format=settings.log_format,
            stream=logs_to,
            folder=None if logs_to is None else settings.log_folder,
        )
        with reach_servers(settings, HISTORY, (lambda _message: None) if quiet else say) as addresses:
            yield addresses
    except ConfigurationError as error:
        fail(ExitCode.UNREACHABLE, str(error))
    except Exception as error:
        if not is_servers_fault(error):
            raise
        fail(ExitCode.UNREACHABLE, f"a server cannot be used ({type(error).__name__}: {error})", hint="Does it run?")


def is_servers_fault(error: Exception) -> bool:
    """Whether PostgreSQL or Redis went away or lets nobody in; everything else is the command's own trouble."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_LETS_NOBODY_IN)
    return is_outage(error) and not isinstance(error, BrokenPipeError)  # whoever read what we say went away


def run[T](work: Callable[[Resources, Settings], Awaitable[T]]) -> T:
    """Do `work` on open resources; an error that we raise on purpose ends the command with what to do."""
    settings = settings_of()
    with reached(settings) as addresses:
        try:
            return asyncio.run(_opened(addresses, settings, work))
        except NotFoundError as error:
            fail(ExitCode.NOT_FOUND, str(error))
        except ConflictError as error:
            fail(ExitCode.REFUSED, str(error))
        except FluxbaseError as error:
            fail(ExitCode.USAGE, str(error))
        except asyncpg.PostgresError as error:
            if not (error.sqlstate or "").startswith(_REFUSED_VALUES):
                raise
            # Without its detail, which has the whole row.
            fail(ExitCode.USAGE, f"the database does not take a value: {error.args[0]}")


async def _opened[T](
    addresses: Addresses, settings: Settings, work: Callable[[Resources, Settings], Awaitable[T]]
) -> T:
    async with open_resources(addresses, application_name="fluxbase-cli", max_connections=2) as resources:
        return await work(resources, settings)

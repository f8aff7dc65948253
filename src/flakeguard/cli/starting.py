"""What every command that needs the servers begins with: settings, logs, addresses."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from redis.exceptions import RedisError

from flakeguard.cli.output import ExitCode, fail, stderr
from flakeguard.settings import FlakeGuardSettings
from fluxbase.cli.starting import is_servers_fault
from fluxbase.errors import ConfigurationError
from fluxbase.monitoring import configure_logging
from fluxbase.resources import Addresses
from fluxbase.servers import reach_servers
from fluxbase.settings import reading


def read_settings(**overrides: Any) -> FlakeGuardSettings:
    """The settings; a setting that cannot be used ends the command, named, with what is wrong about it."""
    try:
        return reading.read_settings(FlakeGuardSettings, **overrides)
    except ConfigurationError as error:
        fail(ExitCode.USAGE, str(error), hint="docs/configuration.md lists every variable.")


@contextmanager
def reached(settings: FlakeGuardSettings, *, quiet: bool = False, asks: bool = False) -> Generator[Addresses]:
    """Migrated servers for the block; a server that cannot be used ends the command with what to do.

    What only asks writes no log into the folder.
    """
    try:
        folder = None if asks else settings.log_folder
        configure_logging(level=settings.log_level, format=settings.log_format, folder=folder)
        with reach_servers(settings, "flakeguard", (lambda _message: None) if quiet else _say) as addresses:
            yield addresses
    except ConfigurationError as error:
        fail(ExitCode.UNREACHABLE, str(error))
    except RedisError as error:
        fail(ExitCode.UNREACHABLE, f"Redis cannot be used ({type(error).__name__}: {error})", hint="Does it run?")
    except Exception as error:
        if not is_servers_fault(error):
            raise
        fail(ExitCode.UNREACHABLE, f"a server cannot be used ({type(error).__name__}: {error})", hint="Does it run?")


def _say(message: str) -> None:
    stderr().print(f"[dim]{message}[/]", soft_wrap=True)

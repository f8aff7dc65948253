"""The `flakeguard` command.

Commands are named in one table and imported only when they are called: `flakeguard upload` on a CI runner
must neither need nor pay for the server's packages. To add a command, add a line to `COMMANDS`.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from flakeguard.cli.output import ExitCode, fail

DISTRIBUTION = "flakeguard-suite"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives.

    Attributes:
        target: `module:attribute`; the attribute is a function (one command) or a `typer.Typer` (a group of
            them).
        summary: the line shown by `flakeguard --help`, kept here so that help imports nothing.
    """

    target: str
    summary: str


COMMANDS: dict[str, Entry] = {
    "parse": Entry("flakeguard.cli.parse:parse", "Say what is understood of each report. Needs no server."),
    "scan": Entry("flakeguard.cli.scan:scan", "Judge folders of reports: flaky, broken, slow. Needs no server."),
    "upload": Entry("flakeguard.cli.upload:upload", "Send test reports from any CI to a FlakeGuard server."),
    "explain": Entry("flakeguard.cli.explain:explain", "Is it my change? Each failure of a run, answered with odds."),
    "up": Entry("flakeguard.cli.up:up", "Run everything on this machine: servers, API, dashboard, worker."),
    "demo": Entry("flakeguard.cli.demo:demo", "Fill a project with a believable history to look around in."),
    "serve": Entry("flakeguard.cli.serve:app", "Run one role: the API or the dashboard."),
    "worker": Entry("flakeguard.cli.worker:app", "Process jobs, or look at their queues."),
    "github": Entry("flakeguard.cli.github:app", "The GitHub App: its state, installations, missed deliveries."),
    "loadtest": Entry("flakeguard.cli.loadtest:loadtest", "Measure the worker: throughput, latency, memory."),
    "analyze": Entry("flakeguard.cli.analyze:analyze", "Judge a project's tests again, now."),
    "admin": Entry("flakeguard.cli.admin:app", "Jobs that were given up: look, and try again."),
    "db": Entry("flakeguard.cli.db:app", "Migrate the database, or say where it is."),
}


class LazyCommand(TyperCommand):
    """A command that is imported when its arguments are parsed, and not when it is listed."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name=name, help=entry.summary, short_help=entry.summary)
        self._entry = entry

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Import the real command and let it parse `args`."""
        command = load(str(self.name), self._entry)
        return command.make_context(info_name, args, parent=parent, **extra)


class LazyGroup(TyperGroup):
    """The root group, filled from `COMMANDS`."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, entry in COMMANDS.items():
            self.add_command(LazyCommand(name, entry), name)


def load(name: str, entry: Entry) -> Any:
    """Import a command of the table and return it in the shape the command line parser wants.

    Args:
        name: the command as typed.
        entry: its line in the table.

    Raises:
        typer.Exit: with code 2 when packages of the server or of the embedded servers are not installed.
    """
    module_name, _, attribute = entry.target.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in {"flakeguard", "fluxbase", "autoqa"}:
            raise
        fail(
            ExitCode.USAGE,
            f"`flakeguard {name}` needs the Python package {error.name}, which is not installed.",
            hint="Install its extras from the checkout: python -m pip install '.[server,embedded]'",
        )
    if isinstance(found, typer.Typer):
        group = typer.main.get_command(found)
        group.name = name
        return group
    single = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)
    single.command(name)(found)
    return typer.main.get_command(single)


def _show_version(*, value: bool) -> None:
    if value:
        typer.echo(f"flakeguard {metadata.version(DISTRIBUTION)}")
        raise typer.Exit


# Locals are never shown in a traceback: they may hold the project key.
app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop."),
    ] = False,
) -> None:
    """Test evidence: reports in, verdicts with evidence out. Exit codes are listed in docs/cli.md."""


def main() -> None:
    """Run the command line; an error that nobody expected leaves with 70, so that 1 always means findings."""
    try:
        app()
    except Exception as error:  # noqa: BLE001 - shown in full by the hook that typer installed
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(ExitCode.INTERNAL)

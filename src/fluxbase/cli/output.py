"""What every `fluxbase` command prints through: results on standard output, everything else on standard error."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_PIPE_WIDTH = 200
"""Columns where the output is no terminal: tables are not to be cut for a file."""


class ExitCode(IntEnum):
    """Exit codes of every `fluxbase` command; the table is in docs/fluxbase/cli.md."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    INTERNAL = 70  # EX_SOFTWARE of sysexits.h


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def say(message: str) -> None:
    """Tell a person something on standard error."""
    _console(stderr=True).print(f"[dim]{escape(message)}[/]", soft_wrap=True)


def result(message: str) -> None:
    """Print a result on standard output, as it is."""
    typer.echo(message)


def print_json(document: Any) -> None:
    """Print a JSON document on standard output; what JSON has no type for becomes text."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], empty: str) -> None:
    """Print rows as a table with these columns, or `empty` when there are none."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(_cell(row.get(column))) for column in columns))
    if table.row_count:
        _console(stderr=False).print(table)
    else:
        say(empty)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case list() | tuple():
            return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] -- whatever the row holds
        case _:
            return str(value)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is destroyed; without a terminal nobody can answer, so `--yes` must say it.

    Raises:
        typer.Exit: The answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        fail(ExitCode.USAGE, f"{question} Nobody is there to answer.", hint="Say --yes.")
    if not typer.confirm(question, err=True):
        fail(ExitCode.REFUSED, "Nothing was changed.")


def fail(code: ExitCode, message: str, *, hint: str | None = None) -> NoReturn:
    """Print an error and what to do about it, then leave with `code`.

    Raises:
        typer.Exit: Always.
    """
    console = _console(stderr=True)
    console.print(f"[red bold]error:[/] {escape(message)}", soft_wrap=True)
    if hint:
        console.print(f"  {escape(hint)}", soft_wrap=True)
    raise typer.Exit(int(code))


def _console(*, stderr: bool) -> Console:
    # A console of its own per call: tests and pipes replace the streams.
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _PIPE_WIDTH, highlight=False, emoji=False)

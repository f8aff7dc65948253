"""What every command prints through: consoles, exit codes, warnings, JSON, progress.

Results go to standard output; progress, warnings and errors go to standard error, so that `--json` can be
piped.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from enum import IntEnum
from typing import IO, Any, NoReturn, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

MINIMUM_PIPE_WIDTH = 120
"""Columns used where the output is no terminal (CI logs): the default of 80 breaks test names."""
_UNLIMITED_WIDTH = 100_000


class ExitCode(IntEnum):
    """Exit codes of every `flakeguard` command; the table is in docs/cli.md."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    NOTHING_MATCHED = 3
    REFUSED = 4
    UNREACHABLE = 5
    NO_CREDENTIALS = 6
    NOT_ANALYZED = 7
    INTERNAL = 70  # EX_SOFTWARE of sysexits.h


def stdout() -> Console:
    """Return a console for results."""
    return _console(stderr=False)


def stderr() -> Console:
    """Return a console for progress, warnings and errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    # A console of its own per call: tests and pipes replace the streams.
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else MINIMUM_PIPE_WIDTH
    file = None if stream.isatty() else cast("IO[str]", _Trimmed(stream))
    return Console(stderr=stderr, file=file, width=width, highlight=False, emoji=False)


class _Trimmed:
    """A stream without the blanks that tables put at the ends of lines."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(re.sub(r" +(?=\n)", "", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def print_whole(console: Console, table: Table) -> None:
    """Print a table; where the output is no terminal, as wide as it needs, for nothing wraps there."""
    if not console.is_terminal:
        everything = console.options.update(width=_UNLIMITED_WIDTH)
        console.width = max(console.width, Measurement.get(console, everything, table).maximum)
    console.print(table)


def print_json(document: Any) -> None:
    """Print a JSON document on standard output, one key per line, never coloured or wrapped."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def warn(message: str, *, hint: str | None = None) -> None:
    """Print a warning; in GitHub Actions it also becomes an annotation of the run.

    Args:
        message: one sentence, plain text.
        hint: what to do about it.
    """
    stderr().print(f"[yellow bold]warning:[/] {escape(message)}", soft_wrap=True)
    if hint:
        stderr().print(f"  {escape(hint)}", soft_wrap=True)
    _annotate("warning", message, hint)


def fail(code: ExitCode, message: str, *, hint: str | None = None) -> NoReturn:
    """Print an error and what to do about it, then leave with `code`.

    Raises:
        typer.Exit: always.
    """
    stderr().print(f"[red bold]error:[/] {escape(message)}", soft_wrap=True)
    if hint:
        stderr().print(f"  {escape(hint)}", soft_wrap=True)
    _annotate("error", message, hint)
    raise typer.Exit(int(code))


def _annotate(level: str, message: str, hint: str | None) -> None:
    """Write a GitHub workflow command; percent, CR and LF are escaped as its documentation asks."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    text = f"{message} {hint}" if hint else message
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    typer.echo(f"::{level} title=FlakeGuard::{escaped}", err=True)


@contextmanager
def progress(description: str, total: int, *, quiet: bool = False) -> Generator[tuple[Progress, TaskID]]:
    """Show a progress bar on standard error while the block runs; silent where there is no terminal.

    Args:
        description: what is being done.
        total: how many steps there are.
        quiet: show nothing at all.
    """
    console = stderr()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        yield bar, bar.add_task(description, total=total)


def human_bytes(count: int) -> str:
    """Return a size for people: `512 B`, `1.4 MB` (powers of 1000)."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":  # noqa: PLR2004 - the step between the units
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def plural(count: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"

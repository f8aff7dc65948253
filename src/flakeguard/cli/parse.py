"""`flakeguard parse`: say what was understood of each report, so that nobody has to guess."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from flakeguard.cli import upload_messages as messages
from flakeguard.cli.output import ExitCode, fail, plural, print_json, print_whole, stderr, stdout
from flakeguard.reports.summary import FileSummary, summarise_upload
from flakeguard.uploading.files import ReportFile, match, nearby


def parse(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILES...",
            help="Reports, folders of reports or quoted globs: 'reports/**/*.xml'. Gzip and zip are unpacked.",
            show_default=False,
        ),
    ],
    *,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what is understood of each report: suites, cases, attempts, outcomes, warnings, errors. Needs no server.

    Leaves with 0 when every file could be read, with 1 when one could not, with 3 when nothing matched.
    """
    folder = Path.cwd()
    found = match(files, folder)
    if not found:
        fail(
            ExitCode.NOTHING_MATCHED,
            messages.nothing_matched(files, folder),
            hint=messages.nothing_matched_hint(nearby(folder)),
        )
    summaries = list(_summaries(found, quiet=json_))
    if json_:
        print_json({"files": [summary.as_json() for summary in summaries]})
    else:
        _print(summaries)
    if any(summary.error for summary in summaries):
        raise typer.Exit(ExitCode.FINDINGS)


def _summaries(files: list[ReportFile], *, quiet: bool) -> Iterator[FileSummary]:
    """Summaries of all files, with a bar of bytes read on a terminal."""
    console = stderr()
    columns = (
        TextColumn("Reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("Reading", total=sum(file.size for file in files))
        for file in files:
            yield from _of_file(file, bar, task)


def _of_file(file: ReportFile, bar: Progress, task: TaskID) -> Iterator[FileSummary]:
    """Summaries of one file; one that cannot be opened has an error of its own."""
    path = _shown(file.path)
    total = bar.tasks[0].total
    try:
        with bar.open(file.path, "rb", task_id=task, total=int(total) if total is not None else None) as stream:
            yield from summarise_upload(path, stream)
    except OSError as error:
        yield FileSummary(path, error=f"unreadable: {error.strerror or error}")


def _shown(path: Path) -> str:
    """A path as the user would name it: below the working directory when it is there."""
    folder = Path.cwd()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)


def _print(summaries: list[FileSummary]) -> None:
    """Print a table, and below it the warnings and errors in full."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("format")
    for name in ("suites", "cases", "attempts", "passed", "failed", "errors", "skipped", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("file", overflow="fold")  # the last, so that long ones push nothing out of line
    console, folder = stdout(), _common_folder([summary.path for summary in summaries])
    for summary in summaries:
        table.add_row(*_row(summary), escape(summary.path.removeprefix(folder)))
    if folder:
        console.print(f"[dim]in {escape(folder)}[/]", soft_wrap=True)
    print_whole(console, table)
    for summary in summaries:
        for warning in summary.warnings:
            console.print(f"[yellow]{escape(summary.path)}[/]: {escape(warning)}", soft_wrap=True)
        if summary.error:
            console.print(f"[red]{escape(summary.path)}[/]: {escape(summary.error)}", soft_wrap=True)
    read = [summary for summary in summaries if summary.error is None]
    console.print(
        f"{plural(len(read), 'report')} read, {plural(sum(summary.cases for summary in read), 'test case')},"
        f" {plural(sum(summary.attempts for summary in read), 'attempt')}"
        + (f"; {plural(len(summaries) - len(read), 'file')} could not be read" if len(read) < len(summaries) else "")
    )


def _common_folder(paths: Sequence[str]) -> str:
    """The folder, with a slash, that holds all of several paths outside of the working directory; else nothing."""
    if len(paths) < 2 or not all(path.startswith(("/", "../")) for path in paths):  # noqa: PLR2004 - several
        return ""
    folder = os.path.commonpath([os.path.dirname(path.partition("!")[0]) for path in paths])  # noqa: PTH120
    return f"{folder}/" if folder not in ("", "/") else ""


def _row(summary: FileSummary) -> list[str]:
    """A summary's cells before its path."""
    if summary.error is not None:
        return ["[red]no report[/]", *([""] * 8)]
    numbers = (summary.suites, summary.cases, summary.attempts, summary.passed)
    bad = (summary.failed, summary.errors)
    return [
        summary.format or "",
        *(f"{number:,}" for number in numbers),
        *(f"[red]{number:,}[/]" if number else "0" for number in bad),
        f"{summary.skipped:,}",
        f"{summary.seconds:,.3f}",
    ]

"""`flakeguard scan`: verdicts from folders of reports, without any server."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flakeguard.analysis.model import Verdict
from flakeguard.cli import upload_messages as messages
from flakeguard.cli.output import ExitCode, fail, plural, print_json, progress, stdout
from flakeguard.cli.scan_display import print_scan
from flakeguard.scan.collecting import Collection, collect
from flakeguard.scan.folders import group
from flakeguard.scan.judging import Options, ScanResult, judge
from flakeguard.scan.rendering import as_json as rendered
from flakeguard.uploading.files import match, nearby


class FailOn(StrEnum):
    """Verdicts that `--fail-on` may name."""

    FLAKY = "flaky"
    BROKEN = "broken"
    SUSPECTED = "suspected"


class RunIs(StrEnum):
    """What makes a run."""

    FOLDER = "folder"
    FILE = "file"


def scan(
    patterns: Annotated[
        list[str],
        typer.Argument(
            metavar="REPORTS...",
            help="Folders, files or quoted globs: 'reports/**/*.xml'. One folder is one run.",
            show_default=False,
        ),
    ],
    *,
    same_commit: Annotated[bool, typer.Option(help="All runs are of one commit and one job.")] = False,
    run_is: Annotated[RunIs, typer.Option(help="What makes a run: each folder, or each file.")] = RunIs.FOLDER,
    default_branch: Annotated[str, typer.Option(help="Branch of runs that name none.")] = "main",
    slow_seconds: Annotated[
        float, typer.Option(help="A test is slow when half of its executions take longer.", min=0)
    ] = 1.0,
    slow: Annotated[int, typer.Option(help="How many slow tests to show; 0 shows none.", min=0)] = 10,
    fail_on: Annotated[
        list[FailOn] | None, typer.Option(help="Leave with 1 when a test has this verdict. May be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print flaky, broken, recovering, suspected and slow tests with their evidence. Needs no server.

    Runs of one commit are told by --same-commit, by a commit in their path (reports/1a2b3c4/run-1/) or by a property of
    the reports (sha). Without any, only patterns can be seen, and the output says so.
    """
    collection = _read(patterns, file_is_run=run_is is RunIs.FILE, quiet=as_json)
    options = Options(
        same_commit=same_commit, default_branch=default_branch, slow_seconds=slow_seconds, slow_limit=slow
    )
    result = judge(collection, options)
    if as_json:
        print_json(rendered(result))
    else:
        print_scan(stdout(), result)
    if _found(result, fail_on or []):
        raise typer.Exit(ExitCode.FINDINGS)


def _read(patterns: list[str], *, file_is_run: bool, quiet: bool) -> Collection:
    """Read everything that matches; leave with 3 when nothing does, or when nothing of it is a report."""
    folder = Path.cwd()
    files = match(patterns, folder)
    if not files:
        fail(
            ExitCode.NOTHING_MATCHED,
            messages.nothing_matched(patterns, folder),
            hint=messages.nothing_matched_hint(nearby(folder)),
        )
    with progress("Reading", len(files), quiet=quiet) as (bar, task):
        collection = collect(group(files, file_is_run=file_is_run), lambda _: bar.advance(task))
    if not collection.runs:
        said = "; ".join(f"{problem.path}: {problem.message}" for problem in collection.unreadable[:3])
        fail(
            ExitCode.NOTHING_MATCHED,
            f"{plural(len(files), 'file')} matched, and no test could be read from them. {said}".rstrip(),
            hint="`flakeguard parse` says what was understood of each file.",
        )
    return collection


def _found(result: ScanResult, fail_on: list[FailOn]) -> bool:
    return any(result.verdicts.get(Verdict(verdict.value), 0) for verdict in fail_on)

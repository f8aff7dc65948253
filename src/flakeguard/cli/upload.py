"""`flakeguard upload`: send test reports from any CI to a FlakeGuard server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from flakeguard.cli import upload_messages as messages
from flakeguard.cli.connecting import LOCAL_URL, github_event, given_key, server_address
from flakeguard.cli.output import ExitCode, fail, plural, print_json, progress, stdout, warn
from flakeguard.reports.sniffing import can_be_report
from flakeguard.uploading import batches, checkout, files, meta
from flakeguard.uploading.ci_environment import CiContext, detect
from flakeguard.uploading.client import (
    DEFAULT_ATTEMPTS,
    DEFAULT_PATIENCE_SECONDS,
    IngestClient,
    Refused,
    RetryPolicy,
    Unreachable,
    UploadError,
)
from flakeguard.uploading.files import ReportFile
from flakeguard.uploading.waiting import FINAL_STATES, wait_for

_WHERE = "Where to"
_WHAT = "Which run (read from CI where it can be)"
_HOW = "How"


@dataclass(slots=True)
class Result:
    """What an upload came to.

    Attributes:
        files: how many reports there are to send.
        skipped_files: names that matched and are no reports.
        meta: the document sent with each request.
        arrived: how many reports the server has accepted.
        ingestions: `data` of the server's answers, one per request.
        warnings: what was warned about.
    """

    files: int
    skipped_files: list[str]
    meta: dict[str, Any]
    arrived: int = 0
    ingestions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    warnings: list[str] = field(default_factory=list[str])

    def warn(self, message: str, hint: str | None = None) -> None:
        """Show a warning and keep it for `--json`."""
        warn(message, hint=hint)
        self.warnings.append(message)


def upload(
    patterns: Annotated[
        list[str],
        typer.Argument(
            metavar="REPORTS...",
            help="Files, folders or quoted globs: 'reports/**/*.xml'. Plain, gzip and zip.",
            show_default=False,
        ),
    ],
    *,
    project: Annotated[
        str, typer.Option(envvar="FLAKEGUARD_PROJECT", help="Slug of the project.", rich_help_panel=_WHERE)
    ] = "",
    url: Annotated[
        str,
        typer.Option(
            envvar="FLAKEGUARD_URL",
            help=f"Address of the server. Outside CI, that of `flakeguard up`, else {LOCAL_URL}.",
            rich_help_panel=_WHERE,
        ),
    ] = "",
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            help="File that holds the project key; - reads standard input. Default: $FLAKEGUARD_API_KEY.",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    allow_missing_key: Annotated[
        bool,
        typer.Option(
            help="Leave with 0 and a warning when there is no key because CI gives a fork (or Dependabot) none.",
            rich_help_panel=_WHERE,
        ),
    ] = False,
    sha: Annotated[str | None, typer.Option(help="Commit under test.", rich_help_panel=_WHAT)] = None,
    branch: Annotated[str | None, typer.Option(help="Branch under test.", rich_help_panel=_WHAT)] = None,
    repo: Annotated[str | None, typer.Option(help="Repository, owner/name.", rich_help_panel=_WHAT)] = None,
    job: Annotated[
        str | None, typer.Option(help="Name of the job; the same for all its shards.", rich_help_panel=_WHAT)
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            help="Tells apart jobs of one name that run the same tests: matrix values. '' for none.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    workflow: Annotated[str | None, typer.Option(help="Name of the workflow.", rich_help_panel=_WHAT)] = None,
    run_id: Annotated[
        int | None, typer.Option(help="Number of the run, unique in the repository.", rich_help_panel=_WHAT)
    ] = None,
    run_attempt: Annotated[
        int | None, typer.Option(help="Counts reruns of one run, from 1.", min=1, rich_help_panel=_WHAT)
    ] = None,
    run_url: Annotated[str | None, typer.Option(help="Address of the run in CI.", rich_help_panel=_WHAT)] = None,
    pr: Annotated[int | None, typer.Option(help="Pull request number.", rich_help_panel=_WHAT)] = None,
    started_at: Annotated[
        str | None, typer.Option(help="When the tests started, RFC 3339.", rich_help_panel=_WHAT)
    ] = None,
    min_files: Annotated[int, typer.Option(help="Fail when fewer files match.", min=1, rich_help_panel=_HOW)] = 1,
    max_files: Annotated[
        int, typer.Option(help="Files in one request.", min=1, rich_help_panel=_HOW)
    ] = batches.DEFAULT_MAX_FILES,
    max_bytes: Annotated[
        int, typer.Option(help="Bytes on disk in one request.", min=1, rich_help_panel=_HOW)
    ] = batches.DEFAULT_MAX_BYTES,
    attempts: Annotated[
        int, typer.Option(help="How often one request is tried.", min=1, rich_help_panel=_HOW)
    ] = DEFAULT_ATTEMPTS,
    patience: Annotated[
        float, typer.Option(help="Seconds after which no further try begins.", rich_help_panel=_HOW)
    ] = DEFAULT_PATIENCE_SECONDS,
    wait: Annotated[
        float,
        typer.Option(
            help="Wait up to that many seconds for the verdicts and print them.",
            min=0,
            rich_help_panel=_HOW,
        ),
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option(help="Print what would be sent, and send nothing.", rich_help_panel=_HOW)
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=_HOW)] = False,
) -> None:
    """Send test reports from any CI to a FlakeGuard server.

    Commit, branch, pull request, job and run are read from GitHub Actions, GitLab CI, Jenkins, CircleCI,
    Buildkite and Azure Pipelines; options go before them. Fails loudly: 3 nothing matched, 4 refused, 5
    unreachable, 6 no key, 7 the server gave up.
    """
    context = detect(os.environ, github_event())
    chosen, skipped = _choose(patterns, min_files)
    stated = meta.Stated(
        sha=sha,
        branch=branch,
        repo_full_name=repo,
        workflow_name=workflow,
        run_id=run_id,
        run_attempt=run_attempt,
        run_url=run_url,
        pr_number=pr,
        job_name=job,
        job_variant=variant,
        started_at=started_at,
    )
    result = Result(len(chosen), [file.name for file in skipped], _meta(project, stated, context, chosen))
    _warn_about(result, skipped, chosen, context)
    parts = batches.cut(chosen, max_files=max_files, max_bytes=max_bytes)
    server = server_address(url, context)
    if dry_run:
        _show_plan(result, parts, server, as_json=as_json)
        return
    key = _key(api_key_file, context, allow_missing=allow_missing_key)
    if key is None:
        return
    policy = RetryPolicy(attempts=attempts, patience_seconds=patience)
    with IngestClient(server, key, policy=policy, notice=_say_retry) as client:
        try:
            _send_all(client, result, parts, quiet=as_json)
            wait_for(client, result.ingestions, seconds=wait)
        except UploadError as error:
            _give_up(error, server, result)
    _show(result, server, wait=wait, as_json=as_json)


def _choose(patterns: Sequence[str], min_files: int) -> tuple[list[ReportFile], list[ReportFile]]:
    """Return the files to send and those that are no reports; leave with 3 when there are not enough."""
    folder = Path.cwd()
    try:
        matched = files.match(patterns, folder)
        chosen, skipped = files.divide(matched, can_be_report)
    except OSError as error:
        fail(ExitCode.USAGE, f"Cannot read {error.filename}: {error.strerror}.")
    if not matched:
        fail(
            ExitCode.NOTHING_MATCHED,
            messages.nothing_matched(patterns, folder),
            hint=messages.nothing_matched_hint(files.nearby(folder)),
        )
    if not chosen:
        fail(
            ExitCode.NOTHING_MATCHED,
            f"{plural(len(matched), 'file')} matched, and none is a test report: {messages.some(skipped)}.",
            hint="Does the pattern name the XML that your test runner writes? `flakeguard parse` says what a file is.",
        )
    if len(chosen) < min_files:
        fail(
            ExitCode.NOTHING_MATCHED,
            f"Only {plural(len(chosen), 'report')} matched; --min-files asks for {min_files:,}.",
            hint="Did every test job write its report, and does the pattern reach all of their folders?",
        )
    return chosen, skipped


def _meta(project: str, stated: meta.Stated, context: CiContext | None, chosen: Sequence[ReportFile]) -> dict[str, Any]:
    """Return the meta document; leave with 2 when it cannot be complete."""
    if not project:
        fail(ExitCode.USAGE, "No project.", hint="Give --project SLUG or set FLAKEGUARD_PROJECT.")
    if stated.started_at is not None and meta.parse_time(stated.started_at) is None:
        fail(ExitCode.USAGE, "--started-at is no RFC 3339 time with a zone, such as 2026-03-01T12:00:00Z.")
    document = meta.build(project, _with_checkout(stated, context), context, chosen)
    if "sha" not in document:
        fail(
            ExitCode.USAGE,
            "The commit under test is not known: no --sha, no CI system that we know, no Git checkout here.",
            hint="Give --sha COMMIT --branch NAME.",
        )
    return document


def _with_checkout(stated: meta.Stated, context: CiContext | None) -> meta.Stated:
    """Fill commit and branch from the Git checkout where neither the user nor CI told them."""
    known_sha = stated.sha or (context.sha if context else None)
    known_branch = stated.branch or (context.branch if context else None)
    if known_sha:  # the checkout may well be on another commit: its branch says nothing
        return stated
    sha, branch = checkout.commit_and_branch(Path.cwd())
    return replace(stated, sha=sha, branch=known_branch or branch)


def _warn_about(
    result: Result, skipped: Sequence[ReportFile], chosen: Sequence[ReportFile], context: CiContext | None
) -> None:
    if skipped:
        are_none = "is no report" if len(skipped) == 1 else "are no reports"
        result.warn(f"{plural(len(skipped), 'file')} matched but {are_none}, not sent: {messages.some(skipped)}.")
    started_at = meta.parse_time(context.started_at) if context else None
    old = files.stale(chosen, started_at=started_at or _event_written_at(), now=datetime.now(UTC))
    if old:
        are = "is" if len(old) == 1 else "are"
        result.warn(
            f"{plural(len(old), 'report')} {are} much older than this job: {messages.some(old)}.",
            "Left-overs of an earlier run count as results of this commit. Clear the folder before the tests run.",
        )
    if "branch" not in result.meta:
        result.warn("The branch under test is not known; verdicts by branch will miss this run.", "Give --branch NAME.")


def _event_written_at() -> datetime | None:
    """Return when GitHub's runner wrote the event file: the job's start, told nowhere else."""
    path = os.environ.get("GITHUB_EVENT_PATH")
    if not path or not Path(path).exists():
        return None
    return datetime.fromtimestamp(Path(path).stat().st_mtime, UTC)


def _key(key_file: Path | None, context: CiContext | None, *, allow_missing: bool) -> str | None:
    """Return the project key; None when it is missing and may be; leave with 6 when it may not."""
    key = given_key(key_file)
    if key:
        return key
    missing = messages.missing_key(context)
    if allow_missing and missing.is_expected:
        warn(f"{missing.message} Nothing was sent.", hint=missing.hint)
        return None
    return fail(ExitCode.NO_CREDENTIALS, f"{missing.message} Nothing was sent.", hint=missing.hint)


def _say_retry(error: UploadError, seconds: float) -> None:
    warn(f"{messages.describe(error)} Trying again in {seconds:.0f} s.")


def _send_all(client: IngestClient, result: Result, parts: list[batches.Batch], *, quiet: bool) -> None:
    """Send batch after batch; one that the server finds too large is halved."""
    pending = list(reversed(parts))
    with progress("Uploading", result.files, quiet=quiet) as (bar, task):
        while pending:
            batch = pending.pop()
            try:
                result.ingestions.append(client.send(result.meta, batch))
            except Refused as refused:
                if not refused.is_too_large or len(batch) == 1:
                    raise
                pending.extend(reversed(batches.halve(batch)))
                continue
            result.arrived += len(batch)
            bar.advance(task, len(batch))


def _give_up(error: UploadError, server: str, result: Result) -> None:
    arrived = f"{result.arrived} of {plural(result.files, 'report')}"
    before = f" {arrived} had arrived before." if result.arrived else ""
    message = f"{messages.describe(error)}{before}"
    if isinstance(error, Refused) and not error.is_server_failure:
        fail(ExitCode.REFUSED, message, hint=messages.what_to_do(error))
    if isinstance(error, Unreachable | Refused):
        fail(ExitCode.UNREACHABLE, f"{server} cannot be reached. {message}", hint=messages.UNREACHABLE_HINT)
    raise error


def _show_plan(result: Result, parts: Sequence[batches.Batch], server: str, *, as_json: bool) -> None:
    requests = [[file.name for file in batch] for batch in parts]
    if as_json:
        print_json(
            {
                "dry_run": True,
                "url": server,
                "meta": result.meta,
                "requests": requests,
                "skipped_files": result.skipped_files,
                "warnings": result.warnings,
            }
        )
        return
    messages.print_plan(stdout(), server, result.meta, parts)


def _show(result: Result, server: str, *, wait: float, as_json: bool) -> None:
    pending = [item for item in result.ingestions if item.get("state") not in FINAL_STATES]
    if wait and pending:
        result.warn(f"The verdicts were not there after {wait:g} s; the reports have arrived and are being read.")
    if as_json:
        print_json(
            {
                "files": result.files,
                "skipped_files": result.skipped_files,
                "meta": result.meta,
                "ingestions": result.ingestions,
                "warnings": result.warnings,
            }
        )
    else:
        messages.print_result(stdout(), server, result.files, result.ingestions)
    _fail_when_lost(result)


def _fail_when_lost(result: Result) -> None:
    """Leave with 7 when the server gave up on an upload, with 4 when it could not read files of it: nothing counts."""
    not_read = messages.not_read(result.files, result.ingestions)
    given_up = messages.given_up(result.ingestions)
    if given_up:
        if not_read:
            result.warn(not_read)
        fail(ExitCode.NOT_ANALYZED, given_up, hint=messages.GIVEN_UP_HINT)
    if not_read:
        fail(ExitCode.REFUSED, not_read, hint=messages.NOT_READ_HINT)

"""What `flakeguard upload` says to people: errors that say what to do, the plan, the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flakeguard.cli.output import human_bytes, plural
from flakeguard.uploading.batches import Batch
from flakeguard.uploading.ci_environment import CiContext
from flakeguard.uploading.client import Refused, UploadError
from flakeguard.uploading.credentials import API_KEY_VARIABLE
from flakeguard.uploading.files import ReportFile

UNREACHABLE_HINT = (
    "Is the address right, and can this runner reach it? Run the step again later: "
    "what arrived already is not counted twice."
)

NOT_READ_HINT = "The others are counted. `flakeguard parse FILES` says what is understood of each."
GIVEN_UP_HINT = (
    "The reports are kept there, and do not count yet. Run this step again: what was given up is then tried again. "
    "If it fails again, ask the server's operator: `flakeguard admin failed` says why, `flakeguard admin retry` tries "
    "again."
)

_ADVICE = {
    "invalid_api_key": "Create a key on the project's settings page and store it as a secret of CI.",
    "expired_api_key": "The key is past its end. Rotate it on the project's settings page and update the secret.",
    "insufficient_scope": "The key may not upload. Create one with the scope ingest:write.",
    "invalid_meta": "Run again with --dry-run to see what is sent, and correct it with options.",
    "invalid_junit_xml": "No file can be read as a report. `flakeguard parse FILES` says why.",
    "too_many_files": "Give a smaller --max-files, or raise FG_MAX_UPLOAD_FILES on the server.",
    "payload_too_large": "One file is larger than the server takes (FG_MAX_FILE_BYTES, FG_MAX_UPLOAD_BYTES).",
    "rate_limit_exceeded": "Too many uploads at once. Send all reports of a job in one step, or raise "
    "FG_RATE_LIMIT_RPM on the server.",
    "project_not_found": "Is --project the project's slug, and does the key belong to that project?",
    "unexpected_answer": "Is FLAKEGUARD_URL the address of FlakeGuard itself?",
}
_ADVICE_BY_STATUS = {
    HTTPStatus.UNAUTHORIZED: _ADVICE["invalid_api_key"],
    HTTPStatus.FORBIDDEN: "The key may not do this; is it the key of this project?",
    HTTPStatus.NOT_FOUND: "Is FLAKEGUARD_URL the address of FlakeGuard itself, without a path?",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _ADVICE["payload_too_large"],
}
_REDIRECT_ADVICE = "Set FLAKEGUARD_URL to the address that it redirects to; keys are not sent on redirects."

_FORK_HINT = (
    "CI gives no secrets to such runs, and that is right. Either upload from a workflow that runs afterwards "
    "with the project's own rights (GitHub: on workflow_run, see docs/cli.md), or add --allow-missing-key so "
    "that they stay green."
)


@dataclass(frozen=True, slots=True)
class MissingKey:
    """Why there is no key.

    Attributes:
        message: one sentence.
        hint: what to do.
        is_expected: whether CI withholds secrets here, or may; then `--allow-missing-key` applies.
    """

    message: str
    hint: str
    is_expected: bool


def missing_key(context: CiContext | None) -> MissingKey:
    """Explain a missing key by what CI says of the run: a fork cannot help it, anybody else can."""
    if context and context.from_fork:
        return MissingKey("No project key: this is a pull request from a fork.", _FORK_HINT, is_expected=True)
    if context and context.by_dependabot:
        return MissingKey("No project key: Dependabot started this run.", _FORK_HINT, is_expected=True)
    hint = (
        f"Store the project's key as a secret of CI and give it to this step as {API_KEY_VARIABLE}, "
        "or name a file with --api-key-file."
    )
    return MissingKey("No project key.", hint, is_expected=context is None or context.from_fork is None)


def nothing_matched(patterns: Sequence[str], folder: Path) -> str:
    """Say which patterns matched nothing, and where they were looked for."""
    return f"No file matches {', '.join(patterns)} in {folder}."


def nothing_matched_hint(names: Sequence[str]) -> str:
    """Say what there is instead."""
    if names:
        return f"There are other XML files here: {', '.join(names)}. Quote globs, and use ** to span folders."
    return "Did the tests run here and write JUnit XML? Quote globs, and use ** to span folders."


def some(files: Sequence[ReportFile], limit: int = 3) -> str:
    """Name the first few files and count the others."""
    names = ", ".join(file.shown for file in files[:limit])
    return names if len(files) <= limit else f"{names} and {len(files) - limit:,} more"


def describe(error: UploadError) -> str:
    """Say what went wrong in a sentence; the project key is in no error."""
    if isinstance(error, Refused):
        quote = f" (request {error.request_id})" if error.request_id else ""
        return f"The server refused: {error.code}: {error.message.rstrip('.')}{quote}."
    return f"No answer: {str(error).rstrip('.')}."


def what_to_do(refused: Refused) -> str:
    """Return advice for the server's error code, or for the status when the code is unknown."""
    if HTTPStatus.MULTIPLE_CHOICES <= refused.status < HTTPStatus.BAD_REQUEST:
        return _REDIRECT_ADVICE
    known = refused.status in set(HTTPStatus)
    by_status = _ADVICE_BY_STATUS.get(HTTPStatus(refused.status)) if known else None
    return _ADVICE.get(refused.code) or by_status or "See docs/cli.md, or ask the server's operator."


def print_plan(console: Console, server: str, meta: Mapping[str, Any], parts: Sequence[Batch]) -> None:
    """Print what `--dry-run` would send."""
    files = [file for part in parts for file in part]
    size = human_bytes(sum(file.size for file in files))
    requests = plural(len(parts), "request")
    summary = f"{plural(len(files), 'file')} ({size}) in {requests}"
    console.print(f"[bold]Would send[/] {summary} to {escape(server)}", soft_wrap=True)
    table = Table.grid(padding=(0, 2))
    for name, value in meta.items():
        table.add_row(f"  [dim]{name}[/]", escape(str(value)))
    console.print(table)
    for number, part in enumerate(parts, 1):
        console.print(f"[bold]request {number}[/]")
        for file in part:
            console.print(f"  {escape(file.name)} [dim]{human_bytes(file.size)}[/]", soft_wrap=True)


def print_result(console: Console, server: str, files: int, ingestions: Sequence[Mapping[str, Any]]) -> None:
    """Print what arrived and, when it was waited for, what came of it."""
    requests = plural(len(ingestions), "request")
    console.print(f"[green bold]✓[/] {plural(files, 'report')} uploaded in {requests} to {escape(server)}")
    results = _total(ingestions, "test_results", inside="stored")
    if results is not None:
        console.print(f"  {plural(results, 'test result')} stored")
    contradictions = _total(ingestions, "flake_events_created")
    if contradictions:
        tests = plural(contradictions, "test")
        console.print(f"  [yellow]{tests} failed and passed on this commit[/]: flaky, not your change")
    verdicts = _verdicts(ingestions)
    if verdicts:
        listed = ", ".join(f"{count:,} {escape(name)}" for name, count in verdicts.items())
        console.print(f"  verdicts: {listed}")
    for item in ingestions:
        _print_troubles(console, item)
    for link in dict.fromkeys(filter(None, map(_link, ingestions))):
        console.print(f"  {escape(link)}", soft_wrap=True)


def unreadable(ingestions: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return name and error of each file that arrived and that the server could not read."""
    files = [file for item in ingestions for file in cast("list[Mapping[str, Any]]", item.get("files") or [])]
    return [(str(file.get("filename")), str(file["error"])) for file in files if file.get("error")]


def not_read(files: int, ingestions: Sequence[Mapping[str, Any]]) -> str:
    """Say which files arrived and cannot be read; "" when all could be."""
    lost = [f"{name}: {error}" for name, error in unreadable(ingestions)]
    return f"The server could not read {len(lost):,} of {plural(files, 'report')}: {_first_few(lost)}" if lost else ""


def given_up(ingestions: Sequence[Mapping[str, Any]]) -> str:
    """Say which uploads the server will not try again by itself, and why; "" when there are none."""
    failed = [
        f"{item.get('error') or 'no reason given'} (ingestion {item.get('ingestion_id')})"
        for item in ingestions
        if item.get("state") == "failed"
    ]
    uploads = plural(len(ingestions), "request")
    return f"The server gave up on {len(failed):,} of {uploads}: {_first_few(failed)}" if failed else ""


def _first_few(sentences: Sequence[str], limit: int = 3) -> str:
    more = f"; and {len(sentences) - limit:,} more" if len(sentences) > limit else ""
    return f"{'; '.join(sentence.rstrip('.') for sentence in sentences[:limit])}{more}."


def _print_troubles(console: Console, ingestion: Mapping[str, Any]) -> None:
    if ingestion.get("error"):
        console.print(f"  [red]not analysed:[/] {escape(str(ingestion['error']))}", soft_wrap=True)
    told = {f"{name}: {error}" for name, error in unreadable([ingestion])}  # an error, said as one
    for warning in cast("list[Any]", ingestion.get("warnings") or []):
        if warning in told:
            continue
        console.print(f"  [yellow]{escape(str(warning))}[/]", soft_wrap=True)


def _total(ingestions: Sequence[Mapping[str, Any]], key: str, inside: str | None = None) -> int | None:
    """Sum a count over ingestions; None while one of them does not know it yet."""
    holders = [cast("Mapping[str, Any]", item.get(inside) or {}) if inside else item for item in ingestions]
    counts = [count for holder in holders if isinstance(count := holder.get(key), int)]
    return sum(counts) if len(counts) == len(ingestions) else None


def _verdicts(ingestions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for item in ingestions:
        total.update(cast("Mapping[str, int]", item.get("verdicts") or {}))
    return {name: count for name, count in total.items() if count}


def _link(ingestion: Mapping[str, Any]) -> str | None:
    return ingestion.get("dashboard_url") or ingestion.get("run_page_url")

"""An explanation for people: each failure with its answer, the odds, the reason, and the attempts that say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from flakeguard.cli.output import plural
from flakeguard.reports.model import Outcome

_SHORT_SHA = 10
_JOB_SEPARATOR = "\x1f"
_SURE = 0.995
_WORTH_SAYING = 0.05
_LONGEST_MESSAGE = 160
_PASSED = int(Outcome.PASSED)


class _Badge(NamedTuple):
    style: str
    words: str


_BADGES = {
    "yours": _Badge("white on red", "YOURS"),
    "cannot_tell": _Badge("black on white", "CANNOT TELL"),
    "main_broken": _Badge("white on magenta", "MAIN IS BROKEN"),
    "known_flake": _Badge("black on yellow", "KNOWN FLAKE"),
    "outage": _Badge("white on blue", "OUTAGE"),
}
_CAUSES = {
    "yours": "your change",
    "known_flake": "a known flake",
    "main_broken": "main is broken",
    "outage": "an outage",
}
_KINDS = {
    "retry": "passed on a retry of the same run",
    "rerun": "passed and failed on one commit",
    "isolated": "failed alone between passes",
    "failing": "only failed",
    "passing": "passed",
    "difference": "jobs disagree",
    "outage": "failed with most of the run",
}


def print_explanation(console: Console, run: Mapping[str, Any], project_address: str) -> None:
    """Print a run's explanation, as the API gives it.

    Args:
        console: where to.
        run: the `data` of the answer.
        project_address: address of the project's pages; runs are below it.
    """
    style = "red" if run["answers"].get("yours") else "green" if not run["failures"] else "yellow"
    console.print(f"[{style} bold]{escape(str(run['headline']))}[/]", soft_wrap=True)
    console.print(f"[dim]{escape(' · '.join(_facts(run)))}[/]", soft_wrap=True)
    console.print(f"[dim]{escape(project_address)}/runs/{run['run_id']}[/]", soft_wrap=True)
    for failure in run["failures"]:
        console.print()
        _print_failure(console, failure)
    hidden = run["failures_total"] - len(run["failures"])
    if hidden > 0:
        console.print(f"\nand {plural(hidden, 'failure')} more", soft_wrap=True)


def _facts(run: Mapping[str, Any]) -> Iterator[str]:
    yield f"run {run['run_id']}"
    yield str(run["sha"])[:_SHORT_SHA]
    for name in ("branch", "job", "variant"):
        if run[name]:
            yield str(run[name])
    if run["pr_number"]:
        yield f"pull request #{run['pr_number']}"
    yield plural(run["tests"], "test")
    yield f"{run['failed']:,} failed"
    if run["flaked"]:
        yield f"{run['flaked']:,} failed and passed"
    if run["skipped"]:
        yield f"{run['skipped']:,} skipped"


def _print_failure(console: Console, failure: Mapping[str, Any]) -> None:
    badge = _BADGES.get(failure["answer"], _BADGES["cannot_tell"])
    console.print(f"[{badge.style}] {badge.words} [/] [bold]{escape(_label(failure))}[/]", soft_wrap=True)
    console.print(f"  {escape(str(failure['reason']))}", soft_wrap=True)
    console.print(f"  [dim]odds: {_odds(failure['odds'])}[/]", soft_wrap=True)
    if until := failure.get("quarantined_until"):
        console.print(f"  in quarantine until {escape(str(until)[: len('2026-12-26')])}", soft_wrap=True)
    message = _first_line(failure)
    if message:
        console.print(f"  [red]{escape(message)}[/]", soft_wrap=True)
    if failure["file"]:
        console.print(f"  [dim]{escape(str(failure['file']))}[/]", soft_wrap=True)
    if failure["evidence"]:
        console.print(Padding(_evidence(failure["evidence"]), (0, 0, 0, 2)))


def _label(failure: Mapping[str, Any]) -> str:
    owner = failure["class_name"] or failure["suite"] or failure["file"] or ""
    name = f"{owner} > {failure['name']}" if owner and owner != failure["name"] else str(failure["name"])
    return f"{name} [{failure['variant']}]" if failure["variant"] else name


def _first_line(failure: Mapping[str, Any]) -> str:
    text = str(failure["message"] or failure["details"] or "").strip()
    line = text.splitlines()[0] if text else ""
    if failure["failure_type"] and failure["failure_type"] not in line:
        line = f"{failure['failure_type']}: {line}" if line else str(failure["failure_type"])
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[: _LONGEST_MESSAGE - 1]}…"


def _odds(odds: Mapping[str, float]) -> str:
    """Say the causes that are worth saying, most probable first."""
    ranked = sorted(odds.items(), key=lambda cause: cause[1], reverse=True)
    told = [f"{_percent(chance)} {_CAUSES[cause]}" for cause, chance in ranked if chance >= _WORTH_SAYING]
    return ", ".join(told)


def _percent(chance: float) -> str:
    return "over 99 %" if chance >= _SURE else f"{chance:.0%}".replace("%", " %")


def _evidence(pieces: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column("kind", style="dim", no_wrap=True)
    table.add_column("where", no_wrap=True)
    table.add_column("attempts", overflow="fold")
    for piece in pieces:
        job, _, variant = str(piece["job"]).partition(_JOB_SEPARATOR)
        where = " ".join(part for part in (str(piece["commit"])[:_SHORT_SHA], piece["branch"], job, variant) if part)
        shared = " [dim](its group failed together)[/]" if piece["shared"] else ""
        kind = _KINDS.get(piece["kind"], str(piece["kind"]))
        named = [*piece["failed"], *piece["passed"]]
        more = f" [dim]({len(named)} of {piece['attempts']:,} shown)[/]" if piece["attempts"] > len(named) else ""
        table.add_row(kind, escape(where), _attempts(named) + more + shared)
    return table


def _attempts(attempts: Sequence[Sequence[int]]) -> str:
    """Say the attempts run by run: `run 143 ✗✗✓`."""
    marks: dict[int, dict[int, str]] = {}
    for run_id, number, outcome in attempts:
        marks.setdefault(run_id, {})[number] = "[green]✓[/]" if outcome == _PASSED else "[red]✗[/]"
    told = (f"run {run} {''.join(mark for _, mark in sorted(found.items()))}" for run, found in sorted(marks.items()))
    return "  ".join(told)

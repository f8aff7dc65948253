"""A scan for people: each verdict with the attempts that made it, contradictions side by side."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from flakeguard.analysis.model import AttemptRef, Evidence, EvidenceKind, Verdict
from flakeguard.cli.output import plural
from flakeguard.reports.model import Outcome
from flakeguard.scan.collecting import CaseKey, Problem
from flakeguard.scan.judging import CommitSource, JudgedTest, ScanResult, Sight, SlowTest
from flakeguard.scan.rendering import notes

EVIDENCE_SHOWN = 3
"""Pieces of evidence shown of one test; `--json` has them all."""
ATTEMPTS_SHOWN = 3
"""Attempts shown on each side of a piece of evidence."""
RUNS_FOR_A_RATE = 3
"""Of fewer runs a rate says nothing that a person could use; `--json` has it."""
_SHORT_SHA = 10
_FULL_SHA = re.compile(r"\b[0-9a-f]{40}\b")
_PERCENT = 100

_TITLES = {
    Verdict.FLAKY: ("yellow", "flaky", "passed and failed on the same commit"),
    Verdict.BROKEN: ("red", "broken", "fails, and has not passed since"),
    Verdict.RECOVERING: ("cyan", "recovering", "was flaky or broken, passes since"),
    Verdict.SUSPECTED: ("magenta", "suspected", "fails now and then, as flaky tests do; not proven"),
}
_KINDS = {
    EvidenceKind.RETRY: "retry",
    EvidenceKind.RERUN: "rerun",
    EvidenceKind.ISOLATED: "isolated",
    EvidenceKind.FAILING: "failing",
    EvidenceKind.PASSING: "passing",
    EvidenceKind.DIFFERENCE: "differs",
    EvidenceKind.OUTAGE: "outage",
}
_MARKS = {
    Outcome.PASSED: "[green]✓[/]",
    Outcome.FAILED: "[red]✗[/]",
    Outcome.ERROR: "[red]![/]",
    Outcome.SKIPPED: "[dim]-[/]",
}


def print_scan(console: Console, result: ScanResult) -> None:
    """Print everything: what was read, each verdict with its evidence, slow tests, unreadable files, totals."""
    _print_head(console, result)
    for verdict in _TITLES:
        _print_verdict(console, result, verdict)
    if result.differing:
        _print_differences(console, result.differing)
    if result.slow:
        _print_slow(console, result.slow)
    _print_problems(console, "could not be read", result.unreadable, style="red")
    _print_problems(console, "read with a warning", result.warnings, style="yellow")
    _print_totals(console, result)


def test_label(key: CaseKey) -> str:
    """Return how a test is called: its class (or suite) and its name."""
    owner = key.class_name or key.suite or key.file or ""
    return f"{owner} > {key.name}" if owner and owner != key.name else key.name


def _print_head(console: Console, result: ScanResult) -> None:
    commits = len({view.commit for view in result.runs if view.commit})
    told = {
        CommitSource.SAME_COMMIT: "of one commit (--same-commit)",
        CommitSource.REPORTS: f"of {plural(commits, 'commit')}",
        CommitSource.NOTHING: "of unknown commits",
    }[result.source]
    tests = plural(sum(result.verdicts.values()), "test")
    runs, attempts = plural(len(result.runs), "run"), plural(result.attempts, "attempt")
    console.print(f"[bold]{runs}[/] {told}, [bold]{tests}[/], {attempts} in {plural(result.files, 'report')}")
    for note in notes(result):
        style = "yellow" if result.sight is Sight.PATTERNS_ONLY else "dim"
        console.print(Padding(f"[{style}]{escape(note)}[/]", (0, 0, 0, 2)))


def _print_verdict(console: Console, result: ScanResult, verdict: Verdict) -> None:
    tests = result.of(verdict)
    if not tests:
        return
    style, word, meaning = _TITLES[verdict]
    console.print()
    console.print(f"[{style} bold]{plural(len(tests), 'test')} {word}[/]  [dim]{meaning}[/]")
    for test in tests:
        _print_test(console, result, test, style)


def _print_test(console: Console, result: ScanResult, test: JudgedTest, style: str) -> None:
    analysis = test.analysis
    console.print(f"\n  [{style}]●[/] [bold]{escape(test_label(test.key))}[/]", soft_wrap=True)
    facts = [f"score {analysis.score.total:.2f}", f"failed {analysis.counts.failed} of {analysis.counts.executions}"]
    if analysis.posterior and analysis.counts.runs >= RUNS_FOR_A_RATE:
        rate = analysis.posterior
        low, mean, high = (round(part * _PERCENT) for part in (rate.low, rate.mean, rate.high))
        facts.append(f"flakes in about {mean} % of runs ({low} to {high} %)")
    if test.key.file:
        facts.append(test.key.file)
    console.print(f"    {escape(analysis.reason)}", soft_wrap=True)
    console.print(f"    [dim]{escape(' · '.join(facts))}[/]", soft_wrap=True)
    if analysis.evidence:
        console.print(Padding(_evidence_table(result, test), (0, 0, 0, 4)))


def _evidence_table(result: ScanResult, test: JudgedTest) -> Table:
    """Return one row for each piece of evidence: what failed beside what passed."""
    pieces = test.analysis.evidence
    with_passes = any(piece.passed for piece in pieces)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_header=with_passes)
    table.add_column("", style="dim", no_wrap=True)
    table.add_column("failed", ratio=3 if with_passes else None, overflow="fold")
    if with_passes:
        table.add_column("passed", ratio=2, overflow="fold")
    for piece in pieces[:EVIDENCE_SHOWN]:
        cells = [_where(result, piece), _attempts(result, test, piece.failed)]
        table.add_row(*cells, *([_attempts(result, test, piece.passed)] if with_passes else []))
    if len(pieces) > EVIDENCE_SHOWN:
        table.add_row("", f"[dim]and {len(pieces) - EVIDENCE_SHOWN} more[/]")
    return table


def _where(result: ScanResult, piece: Evidence) -> str:
    commit = next((view.commit for view in result.runs if view.commit == piece.commit), None)
    told = _short(commit) if commit and result.source is not CommitSource.SAME_COMMIT else None
    return "\n".join(escape(part) for part in (_KINDS[piece.kind], told, piece.job) if part)


def _short(text: str) -> str:
    """Shorten the full commits in a text, as Git does."""
    return _FULL_SHA.sub(lambda found: found[0][:_SHORT_SHA], text)


def _attempts(result: ScanResult, test: JudgedTest, attempts: Sequence[AttemptRef]) -> str:
    lines = list(_attempt_lines(result, test, attempts[:ATTEMPTS_SHOWN]))
    if len(attempts) > ATTEMPTS_SHOWN:
        lines.append(f"[dim]and {len(attempts) - ATTEMPTS_SHOWN} more[/]")
    return "\n".join(lines)


def _attempt_lines(result: ScanResult, test: JudgedTest, attempts: Iterable[AttemptRef]) -> Iterable[str]:
    said: set[str] = set()
    for attempt in attempts:
        number = f" attempt {attempt.attempt}" if attempt.attempt > 1 else ""
        yield f"{_MARKS[attempt.outcome]} {escape(_short(result.run_of(attempt.run_id).folder))}{number}"
        message = test.messages.get((attempt.run_id, attempt.attempt))
        if message and message not in said:  # the same words once
            said.add(message)
            yield f"  [dim]{escape(message)}[/]"


def _print_differences(console: Console, tests: Sequence[JudgedTest]) -> None:
    console.print()
    meaning = "a property of the jobs, not flaky"
    console.print(f"[blue bold]{plural(len(tests), 'test')} different between jobs[/]  [dim]{meaning}[/]")
    for test in tests:
        console.print(f"\n  [blue]●[/] [bold]{escape(test_label(test.key))}[/]", soft_wrap=True)
        for difference in test.analysis.differences:
            jobs = f"fails in {difference.failing_job}, passes in {difference.passing_job}"
            commits = f"on {plural(difference.commits, 'commit')}, last {_short(difference.last_commit)}"
            console.print(f"    {escape(f'{jobs}, {commits}')}", soft_wrap=True)


def _print_slow(console: Console, tests: Sequence[SlowTest]) -> None:
    console.print()
    console.print(f"[blue bold]{plural(len(tests), 'test')} slow[/]  [dim]half of the executions take longer[/]")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("median", "longest", "total", "executions"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("test", overflow="fold")
    for test in tests:
        seconds = (f"{value:,.2f} s" for value in (test.median, test.longest, test.total))
        table.add_row(*seconds, f"{test.executions:,}", escape(test_label(test.key)))
    console.print(Padding(table, (0, 0, 0, 2)))


def _print_problems(console: Console, title: str, problems: Sequence[Problem], *, style: str) -> None:
    if not problems:
        return
    console.print()
    console.print(f"[{style} bold]{plural(len(problems), 'file')} {title}[/]")
    for problem in problems:
        code = f"[{style}]{problem.code}[/] " if problem.code else ""
        console.print(f"  {escape(problem.path)}: {code}{escape(problem.message)}", soft_wrap=True)


def _print_totals(console: Console, result: ScanResult) -> None:
    counts = ", ".join(f"{result.verdicts.get(verdict, 0):,} {verdict.value}" for verdict in Verdict)
    console.print()
    console.print(f"[bold]Total[/] {counts}; {result.seconds:,.1f} s in tests", soft_wrap=True)

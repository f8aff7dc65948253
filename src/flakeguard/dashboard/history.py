"""Histories as pictures need them: cells of a strip, contradictions side by side, series of a chart. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from flakeguard.dashboard.model import Attempt, TestRun, TrendDay
from flakeguard.reports.model import Outcome

type Colour = Literal["passed", "failed", "flaked", "skipped", "outage"]

_WORDS = {Outcome.PASSED: "passed", Outcome.FAILED: "failed", Outcome.ERROR: "error", Outcome.SKIPPED: "skipped"}


def outcome_word(outcome: Outcome) -> str:
    """`passed`, `failed`, `error` or `skipped`."""
    return _WORDS[Outcome(outcome)]


def colour(outcomes: Sequence[Outcome], *, outage: bool = False) -> Colour:
    """How a run of a test is drawn: contradicting attempts are a colour of their own."""
    failed = any(outcome.is_bad for outcome in outcomes)
    passed = Outcome.PASSED in outcomes
    if outage and failed:
        return "outage"
    if failed:
        return "flaked" if passed else "failed"
    return "passed" if passed else "skipped"


@dataclass(frozen=True, slots=True)
class Cell:
    """One run in the strip: how it is drawn, and what is said of it."""

    run: TestRun
    colour: Colour
    label: str


def strip(runs: Sequence[TestRun]) -> list[Cell]:
    """The cells of `runs` (newest first), oldest first."""
    return [Cell(run, colour(run.outcomes, outage=run.outage), describe(run)) for run in reversed(runs)]


def describe(run: TestRun) -> str:
    """What a screen reader says of one run in the strip."""
    words = ", then ".join(outcome_word(outcome) for outcome in run.outcomes)
    outage = " in an outage" if run.outage else ""
    return f"{words}{outage} on {run.branch or 'no branch'}, {run.executed_at:%-d %b %H:%M}"


def summarise(runs: Sequence[TestRun]) -> str:
    """The strip in one sentence, for those who do not see it."""
    counts = {
        name: sum(colour(r.outcomes, outage=r.outage) == name for r in runs) for name in ("passed", "failed", "flaked")
    }
    return (
        f"Last {len(runs)} runs, oldest first: {counts['passed']} passed, {counts['failed']} failed, "
        f"{counts['flaked']} failed and passed"
    )


@dataclass(frozen=True, slots=True)
class Side:
    """One attempt of a contradiction, and the run it is of. `number` counts from 1 within the run."""

    run: TestRun
    number: int
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The same test, commit, job and variant, with both outcomes. `kind` is retry (in one run) or rerun."""

    kind: Literal["retry", "rerun"]
    sha: str
    branch: str
    job: str
    variant: str
    failed: Side
    passed: Side
    failures: int
    passes: int


def contradictions(runs: Iterable[TestRun]) -> list[Contradiction]:
    """Contradictions among runs (newest first), newest first; outages speak against no test and are left out."""
    groups: dict[tuple[str, str, str], list[TestRun]] = {}
    for run in runs:
        if not run.outage:
            groups.setdefault((run.sha, run.job, run.variant), []).append(run)
    found = (_contradiction(group) for group in groups.values())
    return [contradiction for contradiction in found if contradiction]


def _contradiction(group: Sequence[TestRun]) -> Contradiction | None:
    sides = [Side(run, number, attempt) for run in reversed(group) for number, attempt in enumerate(run.attempts, 1)]
    failed = [side for side in sides if side.attempt.outcome.is_bad]
    passed = [side for side in sides if side.attempt.outcome is Outcome.PASSED]
    if not failed or not passed:
        return None
    within = next(((f, p) for f in reversed(failed) for p in passed if f.run.run_id == p.run.run_id), None)
    fail, success = within or (failed[-1], passed[-1])
    run = fail.run
    kind = "retry" if within else "rerun"
    return Contradiction(kind, run.sha, run.branch, run.job, run.variant, fail, success, len(failed), len(passed))


def trend_points(days: Iterable[TrendDay], today: date, length: int) -> list[list[float | None]]:
    """[[day as seconds], [runs], [percent of runs hit by a flake]] for `length` days up to `today`, gaps as null."""
    known = {day.day: day for day in days}
    dates = [today - timedelta(days=back) for back in range(length - 1, -1, -1)]
    seconds: list[float | None] = [datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp() for d in dates]
    runs: list[float | None] = [known[d].runs if d in known else 0 for d in dates]
    rates: list[float | None] = [round(100 * known[d].flaked / known[d].runs, 2) if d in known else None for d in dates]
    return [seconds, runs, rates]


def flake_rate(days: Iterable[TrendDay]) -> float | None:
    """Share of runs that were hit by a flake; None without runs."""
    chosen = list(days)
    runs = sum(day.runs for day in chosen)
    return sum(day.flaked for day in chosen) / runs if runs else None


def duration_points(runs: Sequence[TestRun]) -> list[list[float | None]]:
    """[[time in seconds], [seconds when passed], [when failed]], oldest first; of each run the last timed attempt."""
    points: list[tuple[float, float, bool]] = []
    for run in reversed(runs):
        timed = [attempt for attempt in run.attempts if attempt.duration_ms is not None]
        if timed:
            last = timed[-1]
            points.append((run.executed_at.timestamp(), (last.duration_ms or 0) / 1000, last.outcome.is_bad))
    return [
        [at for at, _, _ in points],
        [None if bad else seconds for _, seconds, bad in points],
        [seconds if bad else None for _, seconds, bad in points],
    ]

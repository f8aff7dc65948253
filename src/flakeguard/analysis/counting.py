"""Counts of a window, as pages show them."""

from collections.abc import Sequence
from operator import attrgetter

from flakeguard.analysis.model import Counts, Observation
from flakeguard.analysis.scoring import recent_failures

_commit = attrgetter("run.commit")
_branch = attrgetter("run.branch")
_skipped = attrgetter("skipped")
_outage = attrgetter("run.outage")


def count(
    recent: Sequence[Observation],
    counted: Sequence[Observation],
    marks: bytes,
    *,
    flaky_runs: int = 0,
    contradictions: int = 0,
) -> Counts:
    """Count a window.

    Args:
        recent: all observations of the window.
        counted: those that count.
        marks: their `executions`.
        flaky_runs: runs put down to chance.
        contradictions: places with both outcomes.
    """
    failed = marks.count(1)
    return Counts(
        runs=len(counted),
        executions=len(marks),
        passed=len(marks) - failed,
        failed=failed,
        skipped=sum(map(_skipped, recent)),
        outages=sum(map(_outage, recent)) if len(recent) > len(counted) else 0,
        flaky_runs=flaky_runs,
        contradictions=contradictions,
        commits=len(set(map(_commit, counted))),
        branches=len(set(map(_branch, counted))),
        recent_failures=recent_failures(marks),
    )

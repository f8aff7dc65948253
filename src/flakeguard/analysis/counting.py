"""Counts of a window, as pages show them."""

from collections.abc import Sequence

from flakeguard.analysis.model import Counts, Observation
from flakeguard.analysis.scoring import recent_failures


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
    attempts = sum([len(observation.attempts) for observation in recent])
    skipped = outages = 0
    if attempts != len(marks):
        skipped = attempts - sum([len(observation.marks) for observation in recent])
        outages = sum([observation.run.outage for observation in recent])
    return Counts(
        runs=len(counted),
        executions=len(marks),
        passed=len(marks) - failed,
        failed=failed,
        skipped=skipped,
        outages=outages,
        flaky_runs=flaky_runs,
        contradictions=contradictions,
        commits=len({observation.run.commit for observation in counted}),
        branches=len({observation.run.branch for observation in counted}),
        recent_failures=recent_failures(marks),
    )

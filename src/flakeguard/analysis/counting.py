"""Counts of a window, as pages show them."""

from collections.abc import Sequence

from flakeguard.analysis.course import Course
from flakeguard.analysis.model import Counts, Observation
from flakeguard.analysis.scoring import recent_failures


def count(
    recent: Sequence[Observation],
    course: Course,
    marks: bytes,
    *,
    flaky_runs: int = 0,
    contradictions: int = 0,
) -> Counts:
    """Count a window.

    Args:
        recent: all observations of the window.
        course: of those that count.
        marks: the `executions` of those.
        flaky_runs: runs put down to chance.
        contradictions: places with both outcomes.
    """
    failed = marks.count(1)
    return Counts(
        runs=len(course.runs),
        executions=len(marks),
        passed=len(marks) - failed,
        failed=failed,
        skipped=sum([observation.skipped for observation in recent]),
        outages=sum([observation.run.outage for observation in recent]) if len(recent) > len(course.runs) else 0,
        flaky_runs=flaky_runs,
        contradictions=contradictions,
        commits=len(course.commits),
        branches=len(course.branches),
        recent_failures=recent_failures(marks),
    )

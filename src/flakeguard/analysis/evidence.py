"""The attempts behind a verdict, as pages and the API link to them."""

from collections.abc import Sequence

from flakeguard.analysis.model import (
    MIXED,
    AttemptRef,
    BrokenStreak,
    Evidence,
    EvidenceKind,
    JobDifference,
    Observation,
)
from flakeguard.analysis.timeline import Contradiction, Stretch, Timeline
from flakeguard.reports.model import Outcome

_REFERENCES = 5
"""Attempts named on each side of one piece of evidence; the oldest are kept."""

_BAD = (Outcome.FAILED, Outcome.ERROR)
_GOOD = (Outcome.PASSED,)


def _named(observations: Sequence[Observation], outcomes: tuple[Outcome, ...]) -> tuple[AttemptRef, ...]:
    """Name the attempts of these observations that had one of these outcomes, at most five."""
    return tuple(
        [
            AttemptRef(observation.run.id, number, outcome)
            for observation in observations[:_REFERENCES]
            for number, outcome in enumerate(observation.attempts, 1)
            if outcome in outcomes
        ][:_REFERENCES]
    )


def _count(observations: Sequence[Observation]) -> int:
    return sum([observation.failed + observation.passed for observation in observations])


def both_sides(
    kind: EvidenceKind,
    observations: Sequence[Observation],
    *,
    of: Sequence[Observation] | None = None,
    shared: bool = False,
) -> Evidence:
    """Put failing and passing attempts side by side; commit and branch are the first failure's.

    Args:
        kind: why they are a reason.
        observations: those to name attempts of, oldest first.
        of: all that say so, where `observations` are not all.
        shared: see `Evidence`.
    """
    failing = [observation for observation in observations if observation.failed]
    first = (failing or observations)[0].run
    jobs = {observation.run.job for observation in of or observations}
    return Evidence(
        kind=kind,
        commit=first.commit,
        branch=first.branch,
        job=first.job if len(jobs) == 1 else "",
        failed=_named(failing, _BAD),
        passed=_named([observation for observation in observations if observation.passed], _GOOD),
        at=observations[-1].run.executed_at,
        attempts=_count(of or observations),
        shared=shared,
    )


def of_contradiction(contradiction: Contradiction) -> Evidence:
    """Both outcomes on one commit and job: by a retry within one run, else by a rerun."""
    in_one_run = MIXED in [observation.colour for observation in contradiction.observations]
    kind = EvidenceKind.RETRY if in_one_run else EvidenceKind.RERUN
    return both_sides(kind, contradiction.observations, shared=contradiction.shared)


def of_stretch(stretch: Stretch, timeline: Timeline) -> Evidence:
    """Failures between passes: the failing attempts, and the passes of the commits beside them."""
    stream = timeline.course.series(stretch.branch, stretch.job)
    beside = [commit for commit in (stretch.before, stretch.after) if commit is not None]
    around = [timeline.observations[index] for index in stream.at(beside)]
    return Evidence(
        kind=EvidenceKind.ISOLATED,
        commit=stretch.commits[0],
        branch=stretch.branch,
        job=stretch.job,
        failed=_named(stretch.failures, _BAD),
        passed=_named([observation for observation in around if observation.passed], _GOOD),
        at=max([observation.run.executed_at for observation in (*around, *stretch.failures)]),
        attempts=sum([o.failed for o in stretch.failures]) + sum([o.passed for o in around]),
        shared=stretch.shared,
    )


def of_streak(streak: BrokenStreak, timeline: Timeline) -> Evidence:
    """Failures at the end of a branch: its newest failing attempts."""
    wanted = set(streak.runs)
    failures = [failure for failure in timeline.failures if failure.run.id in wanted]
    return both_sides(EvidenceKind.FAILING, failures[-_REFERENCES:], of=failures)


def of_passes(passes: Sequence[Observation]) -> Evidence:
    """Passes in a row: the newest of them."""
    return both_sides(EvidenceKind.PASSING, passes[-_REFERENCES:], of=passes)


def of_difference(difference: JobDifference, timeline: Timeline) -> Evidence:
    """Two jobs that disagree: their attempts on the newest commit of disagreement."""
    jobs = (difference.failing_job, difference.passing_job)
    found = [timeline.observations[index] for index in timeline.course.all.at([difference.last_commit])]
    return both_sides(EvidenceKind.DIFFERENCE, [observation for observation in found if observation.run.job in jobs])

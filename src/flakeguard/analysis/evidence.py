"""The attempts behind a verdict, as pages and the API link to them."""

from collections.abc import Iterable, Sequence

from flakeguard.analysis.model import (
    MIXED,
    AttemptRef,
    BrokenStreak,
    Evidence,
    EvidenceKind,
    JobDifference,
    Observation,
)
from flakeguard.analysis.timeline import Contradiction, Stretch
from flakeguard.reports.model import Outcome

_REFERENCES = 5
"""Attempts named on each side of one piece of evidence; the oldest are kept."""

_BAD = (Outcome.FAILED, Outcome.ERROR)
_GOOD = (Outcome.PASSED,)


def failing_attempts(observations: Iterable[Observation]) -> tuple[AttemptRef, ...]:
    """Name the failing attempts, at most five."""
    return _named([observation for observation in observations if observation.failed], _BAD)


def passing_attempts(observations: Iterable[Observation]) -> tuple[AttemptRef, ...]:
    """Name the passing attempts, at most five."""
    return _named([observation for observation in observations if observation.passed], _GOOD)


def _named(observations: Sequence[Observation], outcomes: tuple[Outcome, ...]) -> tuple[AttemptRef, ...]:
    return tuple(
        [
            AttemptRef(observation.run.id, number, outcome)
            for observation in observations[:_REFERENCES]
            for number, outcome in enumerate(observation.attempts, 1)
            if outcome in outcomes
        ][:_REFERENCES]
    )


def both_sides(kind: EvidenceKind, observations: Sequence[Observation], *, shared: bool = False) -> Evidence:
    """Put failing and passing attempts side by side; commit, branch and job are the first failure's."""
    first = next((observation for observation in observations if observation.failed), observations[0]).run
    return Evidence(
        kind=kind,
        commit=first.commit,
        branch=first.branch,
        job=first.job,
        failed=failing_attempts(observations),
        passed=passing_attempts(observations),
        at=observations[-1].run.executed_at,
        shared=shared,
    )


def of_contradiction(contradiction: Contradiction) -> Evidence:
    """Both outcomes on one commit and job: by a retry within one run, else by a rerun."""
    in_one_run = any(observation.colour == MIXED for observation in contradiction.observations)
    kind = EvidenceKind.RETRY if in_one_run else EvidenceKind.RERUN
    return both_sides(kind, contradiction.observations, shared=contradiction.shared)


def of_stretch(stretch: Stretch, observations: Sequence[Observation]) -> Evidence:
    """Failures between passes: the failing attempts, and the passes of the commits beside them."""
    beside = {stretch.before, stretch.after}
    stream = (stretch.branch, stretch.job)
    passes = [
        observation
        for observation in observations
        if observation.run.commit in beside and observation.run.stream == stream
    ]
    newest = max((*passes, *stretch.failures), key=lambda observation: observation.run.order)
    return Evidence(
        kind=EvidenceKind.ISOLATED,
        commit=stretch.commits[0],
        branch=stretch.branch,
        job=stretch.job,
        failed=failing_attempts(stretch.failures),
        passed=passing_attempts(passes),
        at=newest.run.executed_at,
        shared=stretch.shared,
    )


def of_streak(streak: BrokenStreak, observations: Sequence[Observation]) -> Evidence:
    """Failures at the end of a branch: its newest failing attempts."""
    wanted = set(streak.runs)
    failures = [observation for observation in observations if observation.run.id in wanted]
    return both_sides(EvidenceKind.FAILING, failures[-_REFERENCES:])


def of_passes(passes: Sequence[Observation]) -> Evidence:
    """Passes in a row: the newest of them."""
    return both_sides(EvidenceKind.PASSING, passes[-_REFERENCES:])


def of_difference(difference: JobDifference, observations: Sequence[Observation]) -> Evidence:
    """Two jobs that disagree: their attempts on the newest commit of disagreement."""
    jobs = (difference.failing_job, difference.passing_job)
    found = [
        observation
        for observation in observations
        if observation.run.commit == difference.last_commit and observation.run.job in jobs
    ]
    return both_sides(EvidenceKind.DIFFERENCE, found)

"""Kinds of stories: flaky with retries, flaky without, broken from a push on, skipped. Each a function of a place."""

from collections.abc import Callable, Collection, Sequence
from random import Random

from flakeguard.demo.model import PASS, Attempt, Case, Failure, Job, Place, Push, Story, Suite
from flakeguard.reports.model import Outcome

RETRIES = {Suite.BACKEND: 2, Suite.FRONTEND: 0, Suite.PAYMENTS: 2, Suite.E2E: 1}
"""How often each suite repeats a failing test."""

type Tell = Callable[[Case, Random], Failure]
"""How a case fails this time."""


def fails(case: Case, tell: Tell, place: Place, times: int, outcome: Outcome = Outcome.FAILED) -> tuple[Attempt, ...]:
    """So many failing attempts, and a pass after them where the suite allows one more."""
    allowed = 1 + RETRIES[case.suite]
    failing = tuple(Attempt(outcome, tell(case, place.random)) for _ in range(min(times, allowed)))
    return failing if len(failing) == allowed else (*failing, Attempt())


def fails_always(case: Case, tell: Tell, place: Place, outcome: Outcome = Outcome.FAILED) -> tuple[Attempt, ...]:
    """Failing on every attempt that the suite allows."""
    return fails(case, tell, place, 1 + RETRIES[case.suite], outcome)


def spread(random: Random, candidates: Sequence[Push], count: int) -> frozenset[int]:
    """Numbers of `count` pushes, one from each equal stretch of the candidates: a rate without luck in it."""
    size = len(candidates) / count
    return frozenset(
        random.choice(candidates[round(part * size) : round((part + 1) * size)]).number for part in range(count)
    )


def flaky(
    case: Case,
    tell: Tell,
    hits: Collection[tuple[int, Job]],
    *,
    outcome: Outcome = Outcome.FAILED,
    unlucky: float = 0.2,
) -> Story:
    """Fails at the hits, in the first attempt of the job only, and passes on a retry where the suite has retries.

    Args:
        case: the test.
        tell: how it fails.
        hits: (push, job) at which it fails.
        outcome: failed, or an error.
        unlucky: how often the first retry fails too.
    """

    def story(place: Place) -> tuple[Attempt, ...] | None:
        if place.key not in hits or place.run_attempt > 1:
            return None
        times = 2 if RETRIES[case.suite] > 1 and place.random.random() < unlucky else 1
        return fails(case, tell, place, times, outcome)

    return story


def broken(case: Case, failure: Failure, at: Callable[[Place], bool]) -> Story:
    """Fails on every attempt wherever `at` says so, always in the same way."""

    def story(place: Place) -> tuple[Attempt, ...] | None:
        return fails_always(case, lambda _case, _random: failure, place) if at(place) else None

    return story


def skipped(reason: str, at: Callable[[Place], bool] = lambda _place: True) -> Story:
    """Skipped wherever `at` says so."""

    def story(place: Place) -> tuple[Attempt, ...] | None:
        return (Attempt(Outcome.SKIPPED, Failure("skipped", reason, reason)),) if at(place) else None

    return story


def exists(at: Callable[[Place], bool]) -> Story:
    """A test that is there only where `at` says so: no attempt elsewhere."""

    def story(place: Place) -> tuple[Attempt, ...] | None:
        return PASS if at(place) else ()

    return story

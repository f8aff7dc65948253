"""What becomes of a test's quarantine: from what is known of the test and the latest decision to the next step. Pure.

docs/quarantine.md holds every step in one table.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flakeguard.analysis.model import Verdict
from flakeguard.quarantine.policy import QuarantinePolicy


class State(StrEnum):
    """Of a decision. The first two are open, and a test has at most one open decision."""

    PROPOSED = "PROPOSED"
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    DISMISSED = "DISMISSED"
    RESOLVED = "RESOLVED"


OPEN = (State.PROPOSED, State.ACTIVE)
FLAKES = (Verdict.FLAKY, Verdict.SUSPECTED, Verdict.RECOVERING)
"""Verdicts of tests that a person may quarantine. What is broken is broken, and what is stable needs none."""


class Step(StrEnum):
    """What is to be done."""

    PROPOSE = "propose"
    ACTIVATE = "activate"
    EXPIRE = "expire"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a test.

    Attributes:
        verdict: the judgement.
        score: the ranking number, 0 to 1.
        confidence: odds that its newest failure was a flake; 0 where none is known.
        recent_runs: runs that count, within the policy's lookback.
        recent_failures: of these, with a failing attempt.
    """

    verdict: Verdict
    score: float
    confidence: float
    recent_runs: int
    recent_failures: int


@dataclass(frozen=True, slots=True)
class Latest:
    """The latest decision about a test, open or not."""

    state: State
    until: datetime


def quarantined_until(verdict: str, latest: Latest | None) -> datetime | None:
    """A test's last day in quarantine; None outside. What is broken is told as broken, whatever was decided."""
    if latest is None or latest.state is not State.ACTIVE or verdict == Verdict.BROKEN:
        return None
    return latest.until


@dataclass(frozen=True, slots=True)
class Ruling:
    """The next step, and why."""

    step: Step
    reason: str


def decide(standing: Standing, latest: Latest | None, policy: QuarantinePolicy, now: datetime) -> Ruling | None:
    """The next step; None when there is none."""
    if latest is not None and latest.state in OPEN:
        return _of_open(standing, latest, policy, now)
    if latest is not None and latest.state is State.DISMISSED and latest.until > now:
        return None
    return _of_none(standing, policy)


def _of_open(standing: Standing, open_: Latest, policy: QuarantinePolicy, now: datetime) -> Ruling | None:
    if open_.until <= now:
        return Ruling(Step.EXPIRE, "Its time was over.")
    if standing.verdict is Verdict.STABLE:
        return Ruling(Step.RESOLVE, "It has passed often enough to be called stable.")
    if open_.state is State.ACTIVE:
        return None  # also of what broke meanwhile: it is told as broken, and quarantined again once it is repaired
    if standing.verdict not in (Verdict.FLAKY, Verdict.RECOVERING):
        return Ruling(Step.RESOLVE, f"It is {standing.verdict} by now.")
    return Ruling(Step.ACTIVATE, why(standing, policy)) if _is_for_automatic(standing, policy) else None


def _of_none(standing: Standing, policy: QuarantinePolicy) -> Ruling | None:
    if not _is_to_propose(standing, policy):
        return None
    step = Step.ACTIVATE if _is_for_automatic(standing, policy) else Step.PROPOSE
    return Ruling(step, why(standing, policy))


def _is_to_propose(standing: Standing, policy: QuarantinePolicy) -> bool:
    return (
        standing.verdict is Verdict.FLAKY
        and standing.score >= policy.warn_threshold
        and standing.confidence >= policy.confidence_threshold
        and standing.recent_runs >= policy.min_occurrences
        and standing.recent_failures >= policy.min_recent_failures
    )


def _is_for_automatic(standing: Standing, policy: QuarantinePolicy) -> bool:
    return (
        policy.auto_quarantine_enabled and _is_to_propose(standing, policy) and standing.score >= policy.flaky_threshold
    )


def why(standing: Standing, policy: QuarantinePolicy) -> str:
    """The figures that speak for a decision, in a sentence."""
    proven = "Proven flaky" if standing.verdict is Verdict.FLAKY else standing.verdict.capitalize()
    return (
        f"{proven}: {standing.recent_failures} of {standing.recent_runs} runs failed within"
        f" {policy.lookback_days} days, score {standing.score:.2f}, confidence {standing.confidence:.2f}."
    )

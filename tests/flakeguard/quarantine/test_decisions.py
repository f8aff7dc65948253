"""Every step of a decision, as docs/quarantine.md tells it."""

from datetime import UTC, datetime, timedelta

import pytest

from flakeguard.analysis.model import Verdict
from flakeguard.quarantine.decisions import Latest, Standing, State, Step, decide
from flakeguard.quarantine.policy import DEFAULT_POLICY, QuarantinePolicy

NOW = datetime(2026, 11, 26, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(seconds=1), NOW - timedelta(seconds=1)
AUTOMATIC = QuarantinePolicy(auto_quarantine_enabled=True)


def standing(verdict: Verdict = Verdict.FLAKY, **other) -> Standing:
    facts = {"score": 0.3, "confidence": 0.7, "recent_runs": 5, "recent_failures": 2}
    return Standing(verdict, **(facts | other))


def step(known: Standing, latest: Latest | None = None, policy: QuarantinePolicy = DEFAULT_POLICY) -> Step | None:
    ruling = decide(known, latest, policy, NOW)
    return ruling.step if ruling else None


@pytest.mark.parametrize("verdict", Verdict)
def test_only_what_is_proven_flaky_is_proposed(verdict: Verdict) -> None:
    expected = Step.PROPOSE if verdict is Verdict.FLAKY else None
    assert step(standing(verdict)) is expected
    assert step(standing(verdict, score=1.0, confidence=1.0, recent_runs=99, recent_failures=99)) is expected


@pytest.mark.parametrize(
    "short", [{"score": 0.29}, {"confidence": 0.69}, {"recent_runs": 4}, {"recent_failures": 1}]
)  # fmt: skip
def test_each_threshold_is_kept(short: dict[str, float]) -> None:
    assert step(standing(**short)) is None
    assert step(standing(**short, **({"score": 1.0} if "score" not in short else {})), policy=AUTOMATIC) is None


@pytest.mark.parametrize(
    ("score", "policy", "expected"),
    [
        (0.59, DEFAULT_POLICY, Step.PROPOSE),
        (0.6, DEFAULT_POLICY, Step.PROPOSE),
        (0.59, AUTOMATIC, Step.PROPOSE),
        (0.6, AUTOMATIC, Step.ACTIVATE),
    ],
)
def test_nothing_is_quarantined_without_a_person_unless_the_policy_says_so(
    score: float, policy: QuarantinePolicy, expected: Step
) -> None:
    assert step(standing(score=score), policy=policy) is expected
    ruled = step(standing(score=score), Latest(State.PROPOSED, LATER), policy)
    assert ruled is (expected if expected is Step.ACTIVATE else None)


@pytest.mark.parametrize("verdict", [Verdict.SUSPECTED, Verdict.BROKEN])
def test_suspected_and_broken_are_never_quarantined_automatically(verdict: Verdict) -> None:
    sure = standing(verdict, score=1.0, confidence=1.0, recent_runs=99, recent_failures=99)
    assert step(sure, policy=AUTOMATIC) is None
    assert step(sure, Latest(State.PROPOSED, LATER), AUTOMATIC) is Step.RESOLVE


@pytest.mark.parametrize(
    ("state", "verdict", "expected"),
    [
        (State.PROPOSED, Verdict.FLAKY, None),
        (State.PROPOSED, Verdict.RECOVERING, None),
        (State.PROPOSED, Verdict.STABLE, Step.RESOLVE),
        (State.PROPOSED, Verdict.SUSPECTED, Step.RESOLVE),
        (State.PROPOSED, Verdict.BROKEN, Step.RESOLVE),
        (State.PROPOSED, Verdict.UNPROVEN, Step.RESOLVE),
        (State.ACTIVE, Verdict.FLAKY, None),
        (State.ACTIVE, Verdict.RECOVERING, None),
        (State.ACTIVE, Verdict.STABLE, Step.RESOLVE),
        (State.ACTIVE, Verdict.SUSPECTED, None),
        (State.ACTIVE, Verdict.BROKEN, None),
        (State.ACTIVE, Verdict.UNPROVEN, None),
    ],
)
def test_an_open_decision(state: State, verdict: Verdict, expected: Step | None) -> None:
    assert step(standing(verdict), Latest(state, LATER)) is expected
    assert step(standing(verdict), Latest(state, NOW)) is Step.EXPIRE


@pytest.mark.parametrize(
    ("state", "until", "expected"),
    [
        (State.DISMISSED, LATER, None),
        (State.DISMISSED, NOW, Step.PROPOSE),
        (State.EXPIRED, EARLIER, Step.PROPOSE),
        (State.RESOLVED, LATER, Step.PROPOSE),
    ],
)
def test_after_a_decision_has_ended(state: State, until: datetime, expected: Step | None) -> None:
    assert step(standing(), Latest(state, until)) is expected


def test_the_reason_has_the_figures() -> None:
    ruling = decide(standing(score=0.456, confidence=0.97), None, DEFAULT_POLICY, NOW)
    assert ruling is not None
    assert ruling.reason == "Proven flaky: 2 of 5 runs failed within 7 days, score 0.46, confidence 0.97."

"""Commits to speak of."""

from datetime import UTC, datetime, timedelta

from flakeguard.analysis.model import Answer
from flakeguard.github.publishing.locating import Location
from flakeguard.github.publishing.model import Commit, CommitFailure, End, JobRun, Past
from flakeguard.quarantine.decisions import Latest, State

SHA = "0123456789abcdef0123456789abcdef01234567"
MOMENT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def job(number: int = 1, *, name: str = "unit", tests: int = 100, failed: int = 1, **other) -> JobRun:
    order = (MOMENT, number, number)
    facts = {"external_run_id": "77", "attempt": 1, "skipped": 0, "flaked": 0, "outage": False}
    return JobRun(number, 5, ("CI", name, ""), order, tests=tests, failed=failed, **(facts | other))


def failure(number: int = 1, answer: Answer = Answer.YOURS, likely: float = 0.93, **other) -> CommitFailure:
    facts = {
        "name": f"test_{number}",
        "where": "tests/test_cart.py",
        "verdict": "stable",
        "flake": likely if answer is Answer.KNOWN_FLAKE else 0.03,
        "reason": "It passed on the base before.",
        "jobs": ("CI · unit",),
        "end": End.FAILED,
        "message": "assert 1 == 2",
        "location": Location("tests/test_cart.py", 12),
    }
    return CommitFailure(number, 5, 1, answer=answer, likely=likely, **(facts | other))


def flake(number: int = 1, likely: float = 0.97, **other) -> CommitFailure:
    past = Past(57, 4, 6, 5, MOMENT, "f" * 40)
    return failure(number, Answer.KNOWN_FLAKE, likely, **({"verdict": "flaky", "past": past} | other))


def held(state: State = State.ACTIVE) -> Latest:
    """A decision until a month after."""
    return Latest(state, MOMENT + timedelta(days=30))


def commit(*failures: CommitFailure, **other) -> Commit:
    facts = {"runs": (job(failed=len(failures)),), "public_url": "https://flake.example", "may_rerun": True}
    return Commit("acme/shop", SHA, failures=failures, **(facts | other))

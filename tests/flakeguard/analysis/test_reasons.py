"""The sentences that people read, of one and of many."""

from datetime import UTC, datetime

import pytest

from flakeguard.analysis.model import BrokenStreak, Counts, Verdict
from flakeguard.analysis.reasons import reason

from .test_explain import ask


def streak(commits):
    return BrokenStreak("main", None, "c1", datetime(2026, 1, 1, tzinfo=UTC), commits, commits, (1,), broken=True)


@pytest.mark.parametrize(
    ("commits", "said"),
    [
        (1, "Failed on the last commit of main without a pass."),
        (4, "Failed on the last 4 commits of main without a pass."),
    ],
)
def test_broken(commits, said):
    assert reason(Verdict.BROKEN, None, Counts(), streaks=[streak(commits)]) == said


@pytest.mark.parametrize(
    ("verdict", "counts", "said"),
    [
        (
            Verdict.FLAKY,
            Counts(runs=1, flaky_runs=1, contradictions=1),
            "Passed and failed on the same code: 1 commit and job, in its only run.",
        ),
        (
            Verdict.FLAKY,
            Counts(runs=9, flaky_runs=2, contradictions=2),
            "Passed and failed on the same code: 2 commits and jobs, in 2 of 9 runs.",
        ),
        (Verdict.UNPROVEN, Counts(runs=1), "Only 1 run that counts: too few to judge."),
        (Verdict.UNPROVEN, Counts(runs=2), "Only 2 runs that count: too few to judge."),
    ],
)
def test_counts(verdict, counts, said):
    assert reason(verdict, None, counts) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("P*20 x:F", "It passed on the base and fails here in its only attempt."),
        ("P*20 x:FFF", "It passed on the base and fails here in each of its 3 attempts."),
        ("P*20 F x:F", "It fails on the base too, on its last commit without a pass."),
        ("P*20 F F F x:F", "It fails on the base too, on its last 3 commits without a pass."),
    ],
)
def test_explanations(text, said):
    assert ask(text).reason == said

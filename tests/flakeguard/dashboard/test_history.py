"""Strips, contradictions and series."""

from datetime import UTC, date, datetime, timedelta

import pytest

from flakeguard.dashboard.history import (
    colour,
    contradictions,
    duration_points,
    flake_rate,
    strip,
    summarise,
    trend_points,
)
from flakeguard.dashboard.model import Attempt, TrendDay
from flakeguard.dashboard.model import TestRun as RunOfTest
from flakeguard.reports.model import Outcome

P, F, E, S = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(number: int, *outcomes: Outcome, sha: str = "a", job: str = "unit", outage: bool = False) -> RunOfTest:
    attempts = tuple(Attempt(outcome, 100.0 * number, None) for outcome in outcomes)
    return RunOfTest(number, sha, "main", job, "", NOW + timedelta(minutes=number), outage, attempts)


@pytest.mark.parametrize(
    ("outcomes", "outage", "expected"),
    [
        ((P,), False, "passed"),
        ((F,), False, "failed"),
        ((E, E), False, "failed"),
        ((F, P), False, "flaked"),
        ((S,), False, "skipped"),
        ((F,), True, "outage"),
        ((P,), True, "passed"),
    ],
)
def test_colour(outcomes: tuple[Outcome, ...], outage: bool, expected: str) -> None:
    assert colour(outcomes, outage=outage) == expected


def test_strip_reads_from_the_oldest_and_has_words() -> None:
    cells = strip([run(2, F, P), run(1, P)])
    assert [cell.run.run_id for cell in cells] == [1, 2]
    assert cells[1].label == "failed, then passed on main, 1 Mar 12:02"
    assert summarise([run(2, F, P), run(1, P)]) == (
        "Last 2 runs, oldest first: 1 passed, 0 failed, 1 failed and passed"
    )


def test_retry_within_a_run_is_shown_before_reruns() -> None:
    (found,) = contradictions([run(3, P), run(2, F, P), run(1, F)])
    assert found.kind == "retry"
    assert (found.failed.run.run_id, found.failed.number) == (2, 1)
    assert (found.passed.run.run_id, found.passed.number) == (2, 2)
    assert (found.failures, found.passes) == (2, 2)


def test_rerun_of_one_commit_is_a_contradiction() -> None:
    (found,) = contradictions([run(2, P), run(1, F)])
    assert (found.kind, found.failed.run.run_id, found.passed.run.run_id) == ("rerun", 1, 2)


def test_other_commits_jobs_and_outages_contradict_nothing() -> None:
    assert contradictions([run(2, P, sha="b"), run(1, F)]) == []
    assert contradictions([run(2, P, job="e2e"), run(1, F)]) == []
    assert contradictions([run(2, P), run(1, F, outage=True)]) == []
    assert contradictions([run(2, S), run(1, F)]) == []


def test_trend_has_a_place_for_days_without_runs() -> None:
    days = [TrendDay(date(2026, 3, 1), runs=4, flaked=1, failed=2)]
    seconds, runs, rates = trend_points(days, date(2026, 3, 1), 3)
    assert len(seconds) == 3
    assert runs == [0, 0, 4]
    assert rates == [None, None, 25.0]
    assert flake_rate(days) == 0.25
    assert flake_rate([]) is None


def test_durations_are_of_the_last_attempt_oldest_first() -> None:
    times, passed, failed = duration_points([run(2, F), run(1, P)])
    assert times == sorted(times)
    assert (passed, failed) == ([0.1, None], [None, 0.2])

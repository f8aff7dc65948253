"""A test that never passes in one job, on any branch, is a difference between jobs and no flake."""

from datetime import UTC, datetime, timedelta

import pytest

from flakeguard.analysis.evaluate import evaluate
from flakeguard.analysis.model import Observation, Run, Verdict
from flakeguard.reports.model import Outcome

NOW = datetime(2026, 3, 20, tzinfo=UTC)
BRANCHES = ("main", "a", "main", "b", "a", "c", "main", "b", "release")


def observations(fails):
    """Forty commits on many branches, each in a Linux and a Windows job."""
    for number in range(80):
        commit, job = number // 2, ("windows", "linux")[number % 2]
        run = Run(
            id=number + 1,
            executed_at=NOW - timedelta(hours=200 - number),
            key=bytes([number]),
            commit=f"c{commit}",
            branch=BRANCHES[commit % len(BRANCHES)],
            job=f"{job}\x1f",
        )
        yield Observation(run, (Outcome.FAILED,) * 3 if fails(commit, job) else (Outcome.PASSED,))


@pytest.mark.parametrize("since", [0, 15])
def test_failing_in_one_job_on_every_branch_is_no_suspicion(since):
    history = list(observations(lambda commit, job: job == "windows" and commit >= since))
    analysis = evaluate(history, group="g", default_branch="main", now=NOW)
    assert analysis.verdict is Verdict.STABLE
    assert analysis.suspicion < 0.5
    assert [difference.lasting for difference in analysis.differences] == [True]


def test_one_pass_in_between_brings_the_suspicion_back():
    history = list(observations(lambda commit, job: job == "windows" and commit % 4 == 1))
    assert evaluate(history, group="g", default_branch="main", now=NOW).verdict is Verdict.SUSPECTED


def test_the_job_that_fails_may_report_first_or_be_cut_off_at_the_edge():
    history = list(observations(lambda commit, job: job == "windows"))
    for start in range(4):
        for end in range(len(history) - 12, len(history)):
            analysis = evaluate(history[start:end], group="g", default_branch="main", now=NOW)
            assert analysis.verdict is Verdict.STABLE, (start, end)


def test_main_is_broken_when_the_other_jobs_fail_too():
    history = list(observations(lambda commit, job: job == "windows" or commit >= 34))
    assert evaluate(history, group="g", default_branch="main", now=NOW).verdict is Verdict.BROKEN

"""The odds of the run page: four causes of one failure, weighed by prior and likelihood.

Every weight is the chance of its cause together with everything seen: the failures here (m runs at this commit and
on the red commits beside it), the passes at the same place, and the failures f at the end of the base. With
p(f, m) the Beta-binomial chance that a flaky test fails them all, docs/verdicts.md writes the four out.
"""

from dataclasses import dataclass
from math import exp

from flakeguard.analysis.config import PatternModel
from flakeguard.analysis.model import Odds
from flakeguard.analysis.pattern import survival
from flakeguard.analysis.posterior import log_beta

_YOURS_YET_PASSED = 0.001
"""A change may also make a test flaky: chance that a failure it caused passes at the same place."""

_OUTAGE_LASTS = 0.1
"""Chance that an outage also fails the next run of the same commit."""

_UNKNOWN = 1e-6
"""Keeps every weight above zero: there are causes that the model does not know."""

CERTAIN_OUTAGE = Odds(yours=0.0, known_flake=0.0, main_broken=0.0, outage=1.0)
"""Of a run that is an outage: it counts against no test, so nothing is weighed."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is known of one failing test in one run.

    Attributes:
        shared: the test's group failed together in this run.
        on_main: the run is on the default branch: "yours" is then this commit.
        seen_before: the test ran elsewhere before (on the base, if there is one).
        flaky: probability that the test is flaky, without this commit.
        flaked: runs that flaked before, of `runs`.
        runs: trials of the flake rate.
        failing_runs: failing runs at this commit and on the red commits of this branch beside it.
        failing_retries: further failing attempts inside those runs.
        passing_runs: runs at the same commit and job with a passing attempt, this one included.
        other_job_passed: another job passed this commit.
        commits: red commits in a row that this one belongs to.
        ended: a later commit of the branch passed.
        base_failing_runs: failing runs at the end of the base, in this job.
        base_commits: commits of those.
        base_always_failed: the base never passed in what is seen.
        base_passed: the base ends in a pass.
    """

    shared: bool
    on_main: bool
    seen_before: bool
    flaky: float
    flaked: int
    runs: int
    failing_runs: int
    failing_retries: int
    passing_runs: int
    other_job_passed: bool
    commits: int
    ended: bool
    base_failing_runs: int
    base_commits: int
    base_always_failed: bool
    base_passed: bool


def weigh_causes(seen: Sighting, model: PatternModel) -> Odds:
    """Return the probability of every cause."""
    here = _by_chance(seen, seen.failing_runs, seen.passing_runs, model)
    here *= model.retry_fails**seen.failing_retries
    base = 1.0
    if seen.base_failing_runs:
        base = _by_chance(seen, seen.base_failing_runs, 0, model)
        both = _by_chance(seen, seen.base_failing_runs + seen.failing_runs, seen.passing_runs, model)
        here = both * model.retry_fails**seen.failing_retries
    return _normalised(
        yours=base * _yours(seen, model),
        flake=here,
        main=_main(seen, model),
        outage=base * _outage(seen, model),
    )


def _by_chance(seen: Sighting, failing: int, passing: int, model: PatternModel) -> float:
    """Chance that a test is flaky and `failing` runs fail while `passing` pass."""
    alpha = model.rate_alpha + seen.flaked
    beta = model.rate_beta + seen.runs - seen.flaked
    return seen.flaky * exp(log_beta(alpha + failing, beta + passing) - log_beta(alpha, beta))


def _yours(seen: Sighting, model: PatternModel) -> float:
    weight = model.regression_per_commit if seen.on_main else model.regression_per_branch_commit
    if not seen.seen_before:
        weight = model.born_failing
    lasts = survival(seen.commits, model)
    weight *= lasts - survival(seen.commits + 1, model) if seen.on_main and seen.ended else lasts
    if seen.other_job_passed:
        weight *= model.one_job_share
    return weight * _YOURS_YET_PASSED if seen.passing_runs else weight


def _main(seen: Sighting, model: PatternModel) -> float:
    passed_here = _YOURS_YET_PASSED if seen.passing_runs else 1.0
    if seen.base_failing_runs:
        if seen.base_always_failed:
            return model.born_failing * passed_here
        return model.regression_per_commit * survival(seen.base_commits, model) * passed_here
    if seen.on_main or seen.base_passed:
        return _UNKNOWN
    return model.regression_per_commit * passed_here


def _outage(seen: Sighting, model: PatternModel) -> float:
    if not seen.shared:
        return _UNKNOWN
    return model.outage_per_run * _OUTAGE_LASTS ** (seen.failing_runs - 1)


def _normalised(*, yours: float, flake: float, main: float, outage: float) -> Odds:
    total = yours + flake + main + outage
    return Odds(yours / total, flake / total, main / total, outage / total)

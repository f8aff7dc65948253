"""The pattern model: how probable is it that failures without a contradiction are flakes?

Two stories are weighed for a test's failures (docs/verdicts.md derives them and their numbers):

- *regressions*: every incident (a stretch of red commits, seen in one job or several) was broken by a commit and
  ended by a fix; its length has a heavy tail.
- *flaky*: at least one incident was chance. The flake rate r is unknown, Beta distributed, and the failing runs
  put down to it are k of n: with the prior Beta(a, b) their likelihood is B(a+k, b+n-k) / B(a, b). The other
  incidents are regressions as before.

Which incidents are chance is searched greedily: the cheapest first, all counts of them summed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, inf, log, log1p
from typing import NamedTuple

from flakeguard.analysis.config import PatternModel
from flakeguard.analysis.model import GREEN, Observation
from flakeguard.analysis.posterior import log_beta
from flakeguard.analysis.timeline import Stretch, Timeline


class Incident(NamedTuple):
    """Stretches of one branch that overlap: one cause, seen in one job or in several.

    Attributes:
        stretches: its stretches.
        failures: the failing observations.
        runs: the number of these.
        one_job: another job passed one of its commits.
        as_regression: log-likelihood as a regression.
        as_retries: log-likelihood, as a flake, of the retries inside runs that failed too.
    """

    stretches: tuple[Stretch, ...]
    failures: tuple[Observation, ...]
    runs: int
    one_job: bool
    as_regression: float
    as_retries: float


@dataclass(frozen=True, slots=True)
class Split:
    """Which failures are put down to chance.

    Attributes:
        suspicion: probability that the test is flaky.
        chance: incidents that are most probably chance.
        flaked: failing runs put down to chance, contradictions included.
        runs: runs that are trials of the flake rate (regressions and shared failures are none).
    """

    suspicion: float
    chance: tuple[Incident, ...]
    flaked: int
    runs: int


def incidents(
    stretches: Sequence[Stretch], timeline: Timeline, default_branch: str, model: PatternModel
) -> list[Incident]:
    """Join stretches of a branch that share commits, and price each as a regression."""
    return [_priced(tuple(group), timeline, default_branch, model) for group in _joined(stretches)]


def _joined(stretches: Sequence[Stretch]) -> Iterable[Sequence[Stretch]]:
    """Groups of stretches, by when the last of a group was seen; those of one job share no commit of a branch."""
    if len({stretch.job for stretch in stretches}) <= 1:
        return [(stretch,) for stretch in stretches]
    groups: dict[int, list[Stretch]] = {}
    group_of: dict[tuple[str, str], int] = {}  # by branch and commit
    for number, stretch in enumerate(stretches):
        group = [stretch]
        touched = {group_of.get((stretch.branch, commit), number) for commit in stretch.commits} - {number}
        for earlier in sorted(touched):
            group += groups.pop(earlier)
        groups[number] = group
        group_of.update({(stretch.branch, commit): number for member in group for commit in member.commits})
    return groups.values()


def _priced(stretches: tuple[Stretch, ...], timeline: Timeline, default_branch: str, model: PatternModel) -> Incident:
    commits = {commit for stretch in stretches for commit in stretch.commits}
    failures = tuple([failure for stretch in stretches for failure in stretch.failures])
    price = _price_of_length(stretches, len(commits), default_branch, model)
    passing = {job for commit in commits for job, colour in timeline.colours[commit].items() if colour & GREEN}
    one_job = not passing <= {stretch.job for stretch in stretches}
    if one_job:
        price += log(model.one_job_share)
    elif len(stretches) > 1:
        price += log1p(-model.one_job_share)
    return Incident(
        stretches=stretches,
        failures=failures,
        runs=len(failures),
        one_job=one_job,
        as_regression=price,
        as_retries=(sum([failure.failed for failure in failures]) - len(failures)) * log(model.retry_fails),
    )


def _price_of_length(stretches: Sequence[Stretch], commits: int, default_branch: str, model: PatternModel) -> float:
    """Log-likelihood of a regression that begins and lasts as long as seen."""
    if {stretch.before for stretch in stretches} == {None}:
        return log(model.born_failing)
    main = stretches[0].branch == default_branch
    begun = log(model.regression_per_commit if main else model.regression_per_branch_commit)
    lasts = survival(commits, model)
    if {stretch.after for stretch in stretches} == {None}:
        return begun + log(lasts)
    return begun + log(lasts - survival(commits + 1, model))


def survival(commits: int, model: PatternModel) -> float:
    """Chance that a regression lasts at least so many commits: Lomax with exponent 2, mean `regression_length`."""
    scale = model.regression_length
    return (scale / (scale + commits - 1)) ** 2


def weigh(found: Sequence[Incident], *, proven: int, runs: int, model: PatternModel) -> Split:
    """Weigh chance against regressions.

    Args:
        found: the incidents.
        proven: failing runs that contradict a pass at their place; they are chance for certain.
        runs: all runs that may be trials, those of the incidents included.
        model: the priors.
    """
    likely = _likeliest_first(found, proven, runs)
    regressions = sum([incident.as_regression for incident in likely])
    trials = runs - sum([incident.runs for incident in likely])
    flaked, retries = proven, 0.0
    alpha, beta = model.rate_alpha, model.rate_beta
    scale = log_beta(alpha, beta)
    none_by_chance = regressions
    weights: list[float] = []
    trialled: list[tuple[int, int]] = []
    for incident in (None, *likely):
        if incident is not None:
            flaked += incident.runs
            trials += incident.runs
            retries += incident.as_retries
            regressions -= incident.as_regression
        chance = log_beta(alpha + flaked, beta + trials - flaked) - scale + retries
        weights.append(chance + regressions if flaked else -inf)
        trialled.append((flaked, trials))
    best = weights.index(max(weights))
    return Split(
        suspicion=1.0 if proven else _probability(weights, none_by_chance, model),
        chance=tuple(likely[:best]),
        flaked=trialled[best][0],
        runs=trialled[best][1],
    )


def _likeliest_first(found: Sequence[Incident], proven: int, runs: int) -> list[Incident]:
    failing = proven + sum([incident.runs for incident in found])
    rate = log((failing + 0.5) / (runs + 1))
    return sorted(
        found,
        key=lambda incident: incident.runs * rate + incident.as_retries - incident.as_regression,
        reverse=True,
    )


def _probability(by_chance: Sequence[float], none_by_chance: float, model: PatternModel) -> float:
    """Posterior probability of flaky, from the log-likelihoods of both stories and the prior."""
    top = max(*by_chance, none_by_chance)
    flaky = model.flaky_prior * sum([exp(weight - top) for weight in by_chance])
    regressions = (1 - model.flaky_prior) * exp(none_by_chance - top)
    return flaky / (flaky + regressions)

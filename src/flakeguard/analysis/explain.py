"""The run page's question: is it my change? One answer for each failing test of a run, with odds and attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from flakeguard.analysis import evidence as evidences
from flakeguard.analysis.chance import Chance, find_chance
from flakeguard.analysis.config import DEFAULT_CONFIG, AnalysisConfig, PatternModel
from flakeguard.analysis.course import Course
from flakeguard.analysis.model import (
    GREEN,
    Answer,
    Evidence,
    EvidenceKind,
    Explanation,
    History,
    Observation,
    Odds,
    Run,
)
from flakeguard.analysis.odds import CERTAIN_OUTAGE, Sighting, weigh_causes
from flakeguard.analysis.posterior import log_beta
from flakeguard.analysis.timeline import Timeline, is_shared, trace, trailing_red

_EVIDENCE = 3
"""Runs, or earlier flakes, that an answer names of each kind."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """The observations that bear on one failure, each oldest first.

    Attributes:
        run: the run in question.
        here: failing at this commit and on the red commits of this branch beside it, in every job.
        passed: at the same commit and job, with a passing attempt.
        other_jobs: passing at the same commit in other jobs.
        base: on the base, before the run; in the same job where there is one.
        base_failures: those at its end that failed without a pass.
        commits: red commits in a row that the run's belongs to.
        ended: a later commit of the branch passed.
        elsewhere: everything that counts, except this commit and the failures at the base's end, in every job, traced:
            what the test's own flakiness is measured on.
    """

    run: Run
    here: Sequence[Observation]
    passed: Sequence[Observation]
    other_jobs: Sequence[Observation]
    base: Sequence[Observation]
    base_failures: Sequence[Observation]
    commits: int
    ended: bool
    elsewhere: Timeline


def explain(
    failing: Observation,
    history: History,
    *,
    group: str,
    default_branch: str,
    base_commit: str | None = None,
    base_known: bool = True,
    config: AnalysisConfig = DEFAULT_CONFIG,
) -> Explanation:
    """Explain one failing test of a run.

    Args:
        failing: the test's attempts in the run; at least one failed.
        history: what is known of the test on every branch, oldest first; the run may be in it, and later runs too:
            a rerun that passes changes the answer.
        group: the test's group in `Run.mass_failures`.
        default_branch: where the base is.
        base_commit: the commit that the branch left the default branch at; without it the newest results of
            the default branch before the run stand for the base.
        base_known: whether any run of the default branch before this one is known. Where none is, a failure that would
            be *yours* cannot be told from one that main has too; where one is, a test it lacks is new here.
        config: priors and the threshold of an answer.
    """
    if failing.run.outage:
        piece = evidences.both_sides(EvidenceKind.OUTAGE, [failing], shared=True)
        return Explanation(Answer.OUTAGE, CERTAIN_OUTAGE, "Most of the run failed together with it.", (piece,))
    scene = _scene(failing, history, group, default_branch, base_commit)
    chance = find_chance(scene.elsewhere, default_branch, config)
    seen = _sighting(scene, chance, failing, group, default_branch, config)
    odds = weigh_causes(seen, config.pattern)
    answer = _answer(odds, config.answer_threshold)
    if answer is Answer.YOURS and not (base_known or seen.base_passed):
        reason = f"It fails here, and no earlier run of {default_branch} is known to compare with."
        return Explanation(Answer.CANNOT_TELL, odds, reason, _evidence(answer, scene, chance, failing))
    return Explanation(answer, odds, _reason(answer, scene, seen), _evidence(answer, scene, chance, failing))


def _scene(failing: Observation, history: History, group: str, default_branch: str, base_commit: str | None) -> _Scene:
    run = failing.run
    counted = [o for o in history if o.counts and o.run.id != run.id]
    counted.append(failing)
    counted.sort(key=lambda observation: observation.run.order)
    elsewhere = [observation for observation in counted if observation.run.commit != run.commit]
    at_commit = [observation for observation in counted if observation.run.commit == run.commit]
    beside, commits, ended = _beside(counted, run)
    every_base = _base(elsewhere, run, default_branch, base_commit)
    base = [observation for observation in every_base if observation.run.job == run.job] or every_base
    base_failures = _end(base)
    judged = _ends(every_base) | {failure.run.id for failure in base_failures}
    return _Scene(
        run=run,
        here=[o for o in (*beside, *at_commit) if o.failed],
        passed=[o for o in at_commit if o.passed and o.run.job == run.job],
        other_jobs=[o for o in at_commit if o.colour == GREEN and o.run.job != run.job],
        base=base,
        base_failures=base_failures,
        commits=commits,
        ended=ended,
        elsewhere=trace([o for o in elsewhere if o.run.id not in judged], group),
    )


def _beside(counted: Sequence[Observation], run: Run) -> tuple[list[Observation], int, bool]:
    """Failures on the red commits next to the run's, in its stream; how many commits that makes; whether it ended."""
    stream = [observation for observation in counted if observation.run.stream == run.stream]
    colours: dict[str, int] = {}
    for observation in stream:
        commit = observation.run.commit
        colours[commit] = colours.get(commit, 0) | observation.colour
    order = list(colours)
    begin = end = order.index(run.commit)
    while begin and not colours[order[begin - 1]] & GREEN:
        begin -= 1
    while end + 1 < len(order) and not colours[order[end + 1]] & GREEN:
        end += 1
    red = set(order[begin : end + 1])
    failures = [o for o in stream if o.run.commit in red and o.run.commit != run.commit]
    return failures, len(red), end + 1 < len(order)


def _base(
    elsewhere: Sequence[Observation], run: Run, default_branch: str, base_commit: str | None
) -> list[Observation]:
    before = [o for o in elsewhere if o.run.branch == default_branch and o.run.order < run.order]
    if base_commit is not None and any(o.run.commit == base_commit for o in before):
        while before[-1].run.commit != base_commit:
            before.pop()
    return before


def _ends(base: Sequence[Observation]) -> set[int]:
    """Runs in which jobs fail at the end of the base."""
    jobs = {observation.run.job for observation in base if observation.failed}
    series = ([o for o in base if o.run.job == job] for job in jobs)
    return {failure.run.id for observations in series for failure in _end(observations)}


def _end(observations: Sequence[Observation]) -> list[Observation]:
    """Failures on the last commits of these observations."""
    return trailing_red(observations, Course.of(observations).all)


def _sighting(
    scene: _Scene,
    chance: Chance,
    failing: Observation,
    group: str,
    default_branch: str,
    config: AnalysisConfig,
) -> Sighting:
    run = scene.run
    on_main = run.branch == default_branch
    base = scene.base_failures
    # On the default branch the red commits before this one are the base: they are not counted twice.
    known = {failure.run.id for failure in base}
    here = [failure for failure in scene.here if failure.run.id not in known]
    return Sighting(
        shared=is_shared([failing], group),
        on_main=on_main,
        seen_before=bool(scene.elsewhere.observations or base),
        flaky=_flaky(scene, chance, config.pattern),
        flaked=chance.split.flaked,
        runs=chance.split.runs or len(scene.elsewhere.observations),
        failing_runs=max(len(here), 1),
        failing_retries=sum(failure.failed - 1 for failure in here),
        passing_runs=len(scene.passed),
        other_job_passed=bool(scene.other_jobs),
        commits=scene.commits,
        ended=scene.ended,
        base_failing_runs=len(base),
        base_commits=len({failure.run.commit for failure in base}),
        base_always_failed=bool(base) and len(base) == len(scene.base),
        base_passed=bool(scene.base) and not base,
    )


def _flaky(scene: _Scene, chance: Chance, model: PatternModel) -> float:
    """Probability that the test is flaky, by everything but this commit."""
    if chance.proven:
        return 1.0
    if chance.split.flaked:
        return chance.split.suspicion
    alpha, beta = model.rate_alpha, model.rate_beta
    never = exp(log_beta(alpha, beta + len(scene.elsewhere.observations)) - log_beta(alpha, beta))
    return model.flaky_prior * never / (model.flaky_prior * never + 1 - model.flaky_prior)


def _answer(odds: Odds, threshold: float) -> Answer:
    chances = {
        Answer.YOURS: odds.yours,
        Answer.KNOWN_FLAKE: odds.known_flake,
        Answer.MAIN_BROKEN: odds.main_broken,
        Answer.OUTAGE: odds.outage,
    }
    answer = max(chances, key=lambda one: chances[one])
    return answer if chances[answer] >= threshold else Answer.CANNOT_TELL


def _reason(answer: Answer, scene: _Scene, seen: Sighting) -> str:
    match answer:
        case Answer.YOURS:
            base = "passed on the base" if seen.base_passed else "is new here, the base has no run of it,"
            attempts = sum(o.failed for o in scene.here)
            where = "in its only attempt" if attempts == 1 else f"in each of its {attempts} attempts"
            return f"It {base} and fails here {where}."
        case Answer.KNOWN_FLAKE if seen.passing_runs:
            return "It passed and failed on this very commit and job."
        case Answer.KNOWN_FLAKE:
            runs = "the only run" if seen.runs == 1 else f"{seen.flaked} of {seen.runs} runs"
            return f"It flaked in {runs} of other commits."
        case Answer.MAIN_BROKEN:
            commits = "commit" if seen.base_commits == 1 else f"{seen.base_commits} commits"
            return f"It fails on the base too, on its last {commits} without a pass."
        case Answer.OUTAGE:
            return "Much of the test's group failed together with it."
        case Answer.CANNOT_TELL:
            return "The attempts so far fit more than one cause; a rerun would tell."


def _evidence(answer: Answer, scene: _Scene, chance: Chance, failing: Observation) -> tuple[Evidence, ...]:
    if answer is Answer.OUTAGE:
        return (evidences.both_sides(EvidenceKind.OUTAGE, [failing], shared=True),)
    found: list[Evidence] = []
    if scene.passed:
        kind = EvidenceKind.RETRY if failing.passed else EvidenceKind.RERUN
        found.append(evidences.both_sides(kind, _in_order(failing, scene.passed)))
    else:
        found.append(evidences.both_sides(EvidenceKind.FAILING, scene.here[-_EVIDENCE:], of=scene.here))
    if answer in {Answer.KNOWN_FLAKE, Answer.CANNOT_TELL}:
        found += [evidences.of_contradiction(one) for one in reversed(chance.proven[-_EVIDENCE:])]
        if not chance.proven and chance.suspected:
            found += [evidences.of_stretch(one, scene.elsewhere) for one in chance.stretches[-_EVIDENCE:]]
    if scene.base_failures:
        newest = scene.base_failures[-_EVIDENCE:]
        found.append(evidences.both_sides(EvidenceKind.FAILING, newest, of=scene.base_failures))
    elif scene.base:
        passes = [o for o in scene.base if o.passed]
        found.append(evidences.both_sides(EvidenceKind.PASSING, passes[-_EVIDENCE:], of=passes))
    return tuple(found)


def _in_order(failing: Observation, passed: Sequence[Observation]) -> list[Observation]:
    observations = {observation.run.id: observation for observation in (failing, *passed)}
    return sorted(observations.values(), key=lambda observation: observation.run.order)

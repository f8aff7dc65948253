"""Is it my change? Simulated pull requests whose failures have known causes, and the run page's answers."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from benchmarks.simulation import (
    JOBS,
    MAIN,
    OPEN_SHARE,
    WHOLE_OUTAGE_SHARE,
    Cause,
    Suite,
    World,
    describe,
    partial_outage,
    simulate,
    windows,
)

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.explain import explain
from flakeguard.analysis.model import Answer, Run
from flakeguard.analysis.window import Decoder

PULL_REQUESTS = 8
YOURS_SHARE = 0.002
"""Share of the stable tests that a pull request breaks (about 40 tests)."""
WHOLE, PARTIAL = (0,), (1, 2, 3)
"""Pull requests of which one run is an outage, or partly out."""

TRUTHS = {
    Cause.REGRESSION: Answer.MAIN_BROKEN,
    Cause.ALWAYS: Answer.MAIN_BROKEN,
    Cause.DIFFERENCE: Answer.MAIN_BROKEN,
    Cause.OUTAGE: Answer.OUTAGE,
    Cause.FLAKE: Answer.KNOWN_FLAKE,
    Cause.YOURS: Answer.YOURS,
}

type Confusion = Counter[tuple[str, Answer]]
"""How often a true cause got an answer."""


@dataclass(frozen=True)
class PullRequest:
    """Runs of one commit on a branch that left the default branch at its tip, and why their tests failed."""

    runs: list[Run]
    cause: np.ndarray


def confusion(suite: Suite, *, seed: int, commits: int, reruns: int, config: AnalysisConfig) -> Confusion:
    """Ask the run page about every failing test of every run of the pull requests."""
    world = simulate(suite, seed=seed, commits=commits, reruns=reruns, config=config, open_share=OPEN_SHARE)
    random = np.random.default_rng((seed, 1))
    answers: Confusion = Counter()
    for number in range(PULL_REQUESTS):
        answers += _ask(world, _pull_request(world, number, reruns, random, config), config)
    return answers


def _pull_request(
    world: World, number: int, reruns: int, random: np.random.Generator, config: AnalysisConfig
) -> PullRequest:
    suite = world.suite
    jobs = [job for _ in range(reruns) for job in JOBS]
    drawn = random.random((len(suite.rates), len(jobs))) < suite.rates[:, None]
    cause = np.where(drawn, Cause.FLAKE, Cause.NONE).astype(np.int8)
    tip = [max(i for i, run in enumerate(world.runs) if run.job == job and not run.outage) for job in jobs]
    on_base = world.cause[:, tip]
    inherited = np.isin(on_base, (Cause.ALWAYS, Cause.DIFFERENCE, Cause.REGRESSION))
    cause[inherited] = on_base[inherited]
    cause[random.choice(world.untouched, round(YOURS_SHARE * len(world.untouched)), replace=False)] = Cause.YOURS
    out = random.integers(len(jobs))
    if number in WHOLE:
        cause[random.random(len(suite.rates)) < WHOLE_OUTAGE_SHARE, out] = Cause.OUTAGE
    if number in PARTIAL:
        hit = partial_outage(suite, random)
        cause[hit[cause[hit, out] == Cause.NONE], out] = Cause.OUTAGE
    first = len(world.runs)
    runs = [
        describe(suite, first + i, f"pr{number}", f"pr{number}", job, cause[:, i] != Cause.NONE, config)
        for i, job in enumerate(jobs)
    ]
    return PullRequest(runs, cause)


def _ask(world: World, request: PullRequest, config: AnalysisConfig) -> Confusion:
    suite = world.suite
    failing = np.flatnonzero((request.cause != Cause.NONE).any(axis=1))
    failed = np.concatenate([world.failed, request.cause != Cause.NONE], axis=1)[failing]
    decoder = Decoder({run.id: run for run in (*world.runs, *request.runs)})
    known = world.ceiling()
    answers: Confusion = Counter()
    for test, window in zip(failing, windows(failed, config.window_size), strict=True):
        history = decoder.history(window)
        for observation in history[-len(request.runs) :]:
            cause = Cause(request.cause[test, observation.run.id - len(world.runs)])
            if cause is Cause.NONE:
                continue
            explained = explain(
                observation,
                history,
                group=suite.class_names[suite.classes[test]],
                default_branch=MAIN,
                base_commit=world.runs[-1].commit,
                config=config,
            )
            answers[_truth(cause, shown=bool(known[test])), explained.answer] += 1
    return answers


def _truth(cause: Cause, *, shown: bool) -> str:
    """Name the true cause; a flake that main never showed is told apart: nobody could know it."""
    if cause is Cause.FLAKE:
        return "flake, seen on main" if shown else "flake, its first"
    return TRUTHS[cause].value

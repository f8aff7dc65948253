"""Truth of verdicts: precision and recall on histories whose truth is known, and the run page's answers.

Run it from the checkout: `.venv/bin/python -m benchmarks.truth`. The data lie beside the checkout, in
`../shared/data/histories`. Thresholds and priors were tuned on seeds 1 to 3 (seeds 101 to 105 were seen on the way);
the seeds reported here were run once, after the last change.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from benchmarks.iofrol import describe
from benchmarks.run_page import Confusion, confusion
from benchmarks.simulation import JOBS, MAIN, Suite, World, load_suite, simulate, windows

from flakeguard.analysis.config import DEFAULT_CONFIG, AnalysisConfig
from flakeguard.analysis.evaluate import evaluate_window
from flakeguard.analysis.model import Answer, Verdict
from flakeguard.analysis.window import Decoder

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "histories"
SEEDS = (201, 202, 203)
PAGE_SEEDS = 1
NAIVE_RUNS = 30
# Two jobs of 60 runs are 120 runs of a test: a window of 100, the default, would forget the first sixth.
WHOLE_HISTORY = replace(DEFAULT_CONFIG, window_size=120)


@dataclass(frozen=True)
class Scenario:
    """How often each commit ran, where, and with which window it is judged."""

    name: str
    commits: int
    reruns: int
    jobs: tuple[str, ...]
    config: AnalysisConfig


SCENARIOS = (
    Scenario("with reruns, two jobs: 20 commits x 3 x 2", 20, 3, JOBS, WHOLE_HISTORY),
    Scenario("without reruns, two jobs: 60 commits x 1 x 2", 60, 1, JOBS, WHOLE_HISTORY),
    Scenario("with reruns, two jobs, default window of 100 runs", 20, 3, JOBS, DEFAULT_CONFIG),
    Scenario("without reruns, two jobs, default window of 100 runs", 60, 1, JOBS, DEFAULT_CONFIG),
    Scenario("with reruns, one job: 20 commits x 3", 20, 3, JOBS[:1], DEFAULT_CONFIG),
    Scenario("without reruns, one job: 60 commits x 1", 60, 1, JOBS[:1], DEFAULT_CONFIG),
)


@dataclass
class Tally:
    """Hits of one rule, summed over seeds."""

    found: int = 0
    right: int = 0
    of_ceiling: int = 0
    ceiling: int = 0

    def add(self, named: np.ndarray, truth: np.ndarray, ceiling: np.ndarray) -> None:
        self.found += int(named.sum())
        self.right += int((named & truth).sum())
        self.of_ceiling += int((named & ceiling).sum())
        self.ceiling += int(ceiling.sum())

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else float("nan")

    @property
    def recall(self) -> float:
        return self.of_ceiling / self.ceiling


def judge(world: World, config: AnalysisConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return verdict and, of recovering tests, former verdict of every test, by production's own path."""
    decoder = Decoder({run.id: run for run in world.runs})
    now = world.runs[-1].executed_at
    analyses = [
        evaluate_window(
            window,
            decoder,
            group=world.suite.class_names[world.suite.classes[test]],
            default_branch=MAIN,
            now=now,
            config=config,
        )
        for test, window in enumerate(windows(world.failed, config.window_size))
    ]
    return np.array([a.verdict for a in analyses]), np.array([a.was or "" for a in analyses])


def both_in_last_runs(failed: np.ndarray) -> np.ndarray:
    """Naive rule: both outcomes in the last 30 runs, whatever the commit."""
    last = failed[:, -NAIVE_RUNS:]
    return last.any(axis=1) & ~last.all(axis=1)


def both_on_a_commit(failed: np.ndarray, commits: Sequence[str]) -> np.ndarray:
    """Naive rule: both outcomes on one commit, in any job."""
    named = np.zeros(len(failed), dtype=bool)
    of_run = np.array(commits)
    for commit in dict.fromkeys(commits):
        there = failed[:, of_run == commit]
        named |= there.any(axis=1) & ~there.all(axis=1)
    return named


def two_separate_failures(failed: np.ndarray, jobs: Sequence[str]) -> np.ndarray:
    """Naive rule: two separate stretches of failures in one job, each between passes or at the end."""
    named = np.zeros(len(failed), dtype=bool)
    for job in dict.fromkeys(jobs):
        series = failed[:, np.array([one == job for one in jobs])]
        begins = series[:, 1:] & ~series[:, :-1]
        named |= begins.sum(axis=1) >= 2
    return named


def measure(suite: Suite, scenario: Scenario, seeds: Sequence[int]) -> dict[str, Tally]:
    """Judge the scenario's histories by our model and by naive rules."""
    tallies: dict[str, Tally] = {}
    for seed in seeds:
        world = simulate(
            suite,
            seed=seed,
            commits=scenario.commits,
            reruns=scenario.reruns,
            jobs=scenario.jobs,
            config=scenario.config,
        )
        ceiling, failed = world.ceiling(), world.failed
        visible = failed[:, [not run.outage for run in world.runs]]
        verdict, was = judge(world, scenario.config)
        flaky = verdict == Verdict.FLAKY
        proven = flaky | ((verdict == Verdict.RECOVERING) & (was == Verdict.FLAKY))
        rules = {
            "verdict flaky": flaky,
            "flaky, or recovering from it": proven,
            "flaky, recovering from it, suspected": proven | (verdict == Verdict.SUSPECTED),
            "naive: both outcomes in the last 30 runs": both_in_last_runs(failed),
            "naive: both in the last 30, outages known": both_in_last_runs(visible),
            "naive: both on one commit, any job": both_on_a_commit(failed, [r.commit for r in world.runs]),
            "naive: both on one commit, outages known": both_on_a_commit(
                visible, [r.commit for r in world.runs if not r.outage]
            ),
            "naive: two separate failures, outages known": two_separate_failures(
                visible, [r.job for r in world.runs if not r.outage]
            ),
        }
        for name, named in rules.items():
            tallies.setdefault(name, Tally()).add(named, suite.flaky, ceiling)
    return tallies


def print_scenario(suite: Suite, scenario: Scenario, seeds: Sequence[int]) -> None:
    tallies = measure(suite, scenario, seeds)
    ceiling = next(iter(tallies.values())).ceiling / len(seeds)
    print(f"\n## {scenario.name}")
    print(f"ceiling: {ceiling:.0f} of {suite.flaky.sum()} flaky tests show both outcomes", end=" ")
    print(f"({ceiling / suite.flaky.sum():.0%}), mean of {len(seeds)} seeds")
    print(f"{'rule':<46}{'precision':>10}{'recall of ceiling':>19}{'named a seed':>14}")
    for name, tally in tallies.items():
        print(f"{name:<46}{tally.precision:>10.3f}{tally.recall:>19.3f}{tally.found / len(seeds):>14.0f}")


def print_page(name: str, answers: Confusion) -> None:
    print(f"\n## run page, {name}: truth (rows) against answers")
    print(f"{'truth':<22}{'failures':>9}" + "".join(f"{answer.value:>13}" for answer in Answer))
    for truth in sorted({truth for truth, _ in answers}):
        row = [answers[truth, answer] for answer in Answer]
        print(f"{truth:<22}{sum(row):>9}" + "".join(f"{count:>13}" for count in row))


def print_iofrol(path: Path) -> None:
    found = describe(path, DEFAULT_CONFIG)
    rate = found.failed / found.executions
    print("\n## iofrol: 320 cycles of an industrial suite, without labels (a cycle stands for a commit)")
    print(f"{found.tests} tests, {found.cycles} cycles, {found.executions} executions, {rate:.1%} failed")
    print(f"{found.runs} runs (one cycle, one time), {found.outages} of them outages")
    print(
        f"{found.repeated} times a test was repeated within a cycle; {found.contradicting} times it contradicted itself"
    )
    for verdict, count in found.verdicts.most_common():
        print(f"  {verdict:<12}{count:>6}")
    proven = [analysis for analysis in found.analyses.values() if analysis.posterior is not None]
    rates = np.quantile([a.posterior.mean for a in proven if a.posterior], (0.1, 0.5, 0.9))
    print("flake rate of the tests called flaky, recovering from it or suspected:", end=" ")
    print("10 %, 50 % and 90 % quantiles " + ", ".join(f"{rate:.2f}" for rate in rates))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print everything; 2 when the data are not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of flakeflagger.csv and iofrol.csv")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    options = parser.parse_args(arguments)
    if not (options.data / "flakeflagger.csv").is_file():
        print(f"no flakeflagger.csv in {options.data}: give its folder by --data", file=sys.stderr)
        return 2
    started = time.monotonic()
    suite = load_suite(options.data / "flakeflagger.csv")
    print(f"# Truth of verdicts: {len(suite.rates)} tests, {suite.flaky.sum()} flaky, seeds {list(options.seeds)}")
    for scenario in SCENARIOS:
        print_scenario(suite, scenario, options.seeds)
    for name, commits, reruns in (("with reruns", 20, 3), ("without reruns", 60, 1)):
        answers: Confusion = Counter()
        for seed in options.seeds[:PAGE_SEEDS]:
            answers += confusion(suite, seed=seed, commits=commits, reruns=reruns, config=WHOLE_HISTORY)
        print_page(name, answers)
    print_iofrol(options.data / "iofrol.csv")
    print(f"\n{time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

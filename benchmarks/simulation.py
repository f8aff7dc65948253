"""Simulated histories whose truth is known, drawn from measured pass rates.

Rates come from FlakeFlagger's reruns (22,245 Java tests, about 10,000 runs each). A test is truly flaky when the
file saw both outcomes of it. Everything else that fails is injected, and remembered: regressions that are fixed,
whole and partial outages, and a second job in which some tests really differ.
"""

import csv
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path

import numpy as np

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.model import Run
from flakeguard.analysis.outage import is_outage, mass_failures

START = datetime(2025, 3, 1, tzinfo=UTC)
RUN_EVERY = timedelta(hours=4)
MAIN = "main"
JOBS = ("linux", "windows")
REGRESSED_SHARE = 0.02
OPEN_SHARE = 0.005
REGRESSION_COMMITS = (1, 10)
DIFFERENT_SHARE = 0.01
WHOLE_OUTAGES = 3
WHOLE_OUTAGE_SHARE = 0.97
PARTIAL_OUTAGES = 5
PARTIAL_CLASSES = 20
PARTIAL_CLASS_TESTS = 4
"""A partial outage takes half of a class; classes of fewer tests have no half that fails together."""
PASS_CODE, FAIL_CODE = 0b100, 0b101


class Cause(IntEnum):
    """Why a test failed in a run (the last one injected wins)."""

    NONE = 0
    FLAKE = 1
    ALWAYS = 2
    REGRESSION = 3
    DIFFERENCE = 4
    OUTAGE = 5
    YOURS = 6


@dataclass(frozen=True)
class Suite:
    """The tests of the measured file: failure rates, class of each test, names of the classes."""

    rates: np.ndarray
    classes: np.ndarray
    class_names: list[str]

    @property
    def flaky(self) -> np.ndarray:
        return (self.rates > 0) & (self.rates < 1)

    @property
    def stable(self) -> np.ndarray:
        return self.rates == 0


@dataclass
class World:
    """One simulated history.

    Attributes:
        suite: the tests.
        runs: metadata as production keeps it, in order of time.
        cause: tests x runs, `Cause` of each failure.
        regressed: stable tests that were broken and fixed.
        different: stable tests that fail in the second job.
        untouched: stable tests into which nothing was injected but outages.
    """

    suite: Suite
    runs: list[Run]
    cause: np.ndarray
    regressed: np.ndarray
    different: np.ndarray
    untouched: np.ndarray

    @property
    def failed(self) -> np.ndarray:
        return self.cause != Cause.NONE

    def ceiling(self) -> np.ndarray:
        """Flaky tests that showed both outcomes of their own: nobody can find more.

        Draws that an injected event hides show nothing.
        """
        flaked = (self.cause == Cause.FLAKE).any(axis=1)
        passed = (self.cause == Cause.NONE).any(axis=1)
        return self.suite.flaky & flaked & passed


def load_suite(path: Path) -> Suite:
    """Read FlakeFlagger's file."""
    names: dict[str, int] = {}
    rates, classes = [], []
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            failing, passing = int(row["NumFailingRuns"]), int(row["NumPassingRuns"])
            rates.append(failing / (failing + passing))
            name = f"{row['Project']} {row['Test'].partition('#')[0]}"
            classes.append(names.setdefault(name, len(names)))
    return Suite(np.array(rates), np.array(classes), list(names))


def simulate(
    suite: Suite,
    *,
    seed: int,
    commits: int,
    reruns: int,
    jobs: tuple[str, ...] = JOBS,
    config: AnalysisConfig,
    open_share: float = 0.0,
) -> World:
    """Simulate `commits` commits of one branch, each run `reruns` times in every job.

    `open_share` of the stable tests end in a regression of 1 to 5 commits that nobody has fixed yet.
    """
    random = np.random.default_rng(seed)
    places = [(commit, job) for commit in range(commits) for _ in range(reruns) for job in jobs]
    of_commit = np.array([commit for commit, _ in places])
    drawn = random.random((len(suite.rates), len(places))) < suite.rates[:, None]
    cause = np.where(drawn, Cause.FLAKE, Cause.NONE).astype(np.int8)
    cause[suite.rates == 1] = Cause.ALWAYS
    stable = random.permutation(np.flatnonzero(suite.stable))
    regressed = stable[: round(REGRESSED_SHARE * len(stable))]
    different = stable[len(regressed) :][: round(DIFFERENT_SHARE * len(stable))]
    for test in regressed:
        length = random.integers(REGRESSION_COMMITS[0], REGRESSION_COMMITS[1] + 1)
        begin = random.integers(1, commits - length)
        cause[test, (of_commit >= begin) & (of_commit < begin + length)] = Cause.REGRESSION
    opened = stable[len(regressed) + len(different) :][: round(open_share * len(stable))]
    for test in opened:
        cause[test, of_commit >= commits - random.integers(1, 6)] = Cause.REGRESSION
    if "windows" in jobs:
        cause[np.ix_(different, [job == "windows" for _, job in places])] = Cause.DIFFERENCE
    troubled = random.permutation(len(places))[: WHOLE_OUTAGES + PARTIAL_OUTAGES]
    for run in troubled[:WHOLE_OUTAGES]:
        cause[random.random(len(suite.rates)) < WHOLE_OUTAGE_SHARE, run] = Cause.OUTAGE
    for run in troubled[WHOLE_OUTAGES:]:
        cause[partial_outage(suite, random), run] = Cause.OUTAGE
    runs = [
        describe(suite, number, f"c{commit}", MAIN, job, cause[:, number] != Cause.NONE, config)
        for number, (commit, job) in enumerate(places)
    ]
    return World(suite, runs, cause, regressed, different, stable[len(regressed) + len(different) + len(opened) :])


def partial_outage(suite: Suite, random: np.random.Generator) -> np.ndarray:
    """Return the tests that fail when half the tests of some classes fail together."""
    sizes = np.bincount(suite.classes)
    chosen = random.choice(np.flatnonzero(sizes >= PARTIAL_CLASS_TESTS), PARTIAL_CLASSES, replace=False)
    halves = [random.permutation(np.flatnonzero(suite.classes == name)) for name in chosen]
    return np.concatenate([tests[: (len(tests) + 1) // 2] for tests in halves])


def describe(
    suite: Suite, number: int, commit: str, branch: str, job: str, failed: np.ndarray, config: AnalysisConfig
) -> Run:
    """Make a run's metadata from its results, as ingestion does."""
    tests = np.bincount(suite.classes)
    failing = np.bincount(suite.classes, weights=failed, minlength=len(tests))
    groups = ((suite.class_names[index], int(tests[index]), int(failing[index])) for index in np.flatnonzero(failing))
    return Run(
        id=number,
        executed_at=START + number * RUN_EVERY,
        key=number.to_bytes(4),
        commit=commit,
        branch=branch,
        job=job,
        outage=is_outage(len(failed), int(failed.sum()), config),
        mass_failures=mass_failures(groups, config),
    )


def windows(failed: np.ndarray, size: int) -> Iterator[bytes]:
    """Pack every test's last `size` runs as production does; `failed` is tests x runs, oldest first."""
    codes = np.where(failed, FAIL_CODE, PASS_CODE)[:, ::-1][:, :size]
    ids = np.arange(failed.shape[1])[::-1][:size]
    packer = struct.Struct("<" + "IH" * len(ids))
    pairs = np.empty((len(codes), 2 * len(ids)), dtype=np.int64)
    pairs[:, 0::2] = ids
    pairs[:, 1::2] = codes
    for row in pairs.tolist():
        yield packer.pack(*row)

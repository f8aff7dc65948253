"""A real history without labels: iofrol.csv, 1,941 industrial tests over 320 CI cycles, as our model sees it."""

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.evaluate import evaluate
from flakeguard.analysis.model import Analysis, Observation, Run
from flakeguard.analysis.outage import is_outage
from flakeguard.reports.model import Outcome

_LONG = 3650
"""Days: the file spans 20 months, so nothing of it may be too old."""


@dataclass(frozen=True)
class Description:
    """What is in the file, and the verdicts of its last day."""

    tests: int
    cycles: int
    executions: int
    failed: int
    runs: int
    outages: int
    repeated: int
    contradicting: int
    analyses: dict[str, Analysis]

    @property
    def verdicts(self) -> Counter[str]:
        return Counter(analysis.verdict.value for analysis in self.analyses.values())


def describe(path: Path, config: AnalysisConfig) -> Description:
    """Read the file and judge its tests.

    A cycle stands for a commit (its verdicts belong to one build), all verdicts of one cycle and time for a run.
    """
    attempts: dict[tuple[int, datetime], dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter=";"):
            at = datetime.fromisoformat(row["LastRun"]).replace(tzinfo=UTC)
            outcome = Outcome.FAILED if row["Verdict"] == "1" else Outcome.PASSED
            attempts[int(row["Cycle"]), at][row["Name"]].append(outcome)
    histories: dict[str, list[Observation]] = defaultdict(list)
    runs = [_run(number, place, tests, config) for number, (place, tests) in enumerate(sorted(attempts.items()))]
    for run, (_, tests) in zip(runs, sorted(attempts.items()), strict=True):
        for name, outcomes in tests.items():
            histories[name].append(Observation(run, tuple(outcomes)))
    return _described(histories, runs, replace(config, lookback_days=_LONG))


def _run(number: int, place: tuple[int, datetime], tests: dict[str, list[Outcome]], config: AnalysisConfig) -> Run:
    cycle, at = place
    failed = sum(outcomes[-1] is Outcome.FAILED for outcomes in tests.values())
    return Run(
        id=number,
        executed_at=at,
        key=number.to_bytes(4),
        commit=str(cycle),
        branch="main",
        job="",
        outage=is_outage(len(tests), failed, config),
    )


def _described(histories: dict[str, list[Observation]], runs: list[Run], config: AnalysisConfig) -> Description:
    for history in histories.values():
        history.sort(key=lambda observation: observation.run.order)
    every = [observation for history in histories.values() for observation in history]
    places = defaultdict(set)
    times: Counter[tuple[str, str]] = Counter()
    for name, history in histories.items():
        for observation in history:
            places[name, observation.run.commit].update(observation.attempts)
            times[name, observation.run.commit] += len(observation.attempts)
    now = max(run.executed_at for run in runs)
    return Description(
        tests=len(histories),
        cycles=len({run.commit for run in runs}),
        executions=sum(times.values()),
        failed=sum(observation.failed for observation in every),
        runs=len(runs),
        outages=sum(run.outage for run in runs),
        repeated=sum(count > 1 for count in times.values()),
        contradicting=sum(len(outcomes) > 1 for outcomes in places.values()),
        analyses={
            name: evaluate(history, group=name, default_branch="main", now=now, config=config)
            for name, history in histories.items()
        },
    )

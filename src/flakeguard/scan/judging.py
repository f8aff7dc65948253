"""Judge what was collected, with the same analysis as the server's. Pure."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.evaluate import evaluate
from flakeguard.analysis.model import Analysis, Observation, Run, Verdict
from flakeguard.analysis.outage import is_outage, mass_failures
from flakeguard.reports.model import Outcome
from flakeguard.scan.collecting import CaseKey, CaseRecord, Collection, Problem, RunRecord
from flakeguard.scan.folders import branch_of, commit_of, natural_key, places

ONE_COMMIT = "the same commit"
_LARGEST_WINDOW = 1000
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_REPEATED = 2
_CENTURY_DAYS = 36_500


class Sight(StrEnum):
    """How much the runs allow to be seen."""

    CONTRADICTIONS = "contradictions"
    PATTERNS_ONLY = "patterns_only"


class CommitSource(StrEnum):
    """How runs of one commit were told."""

    SAME_COMMIT = "same_commit"
    REPORTS = "reports"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Options:
    """How to judge.

    Attributes:
        same_commit: all runs are of one commit and one job.
        default_branch: the branch of runs that name none.
        slow_seconds: a test is slow when half of its executions take longer.
        slow_limit: how many slow tests to name.
    """

    same_commit: bool = False
    default_branch: str = "main"
    slow_seconds: float = 1.0
    slow_limit: int = 10


class RunView(NamedTuple):
    """One run, as it was judged. `time_is_known` is false where the order of names stands in for a time."""

    folder: str
    run: Run
    commit: str | None
    time_is_known: bool
    tests: int
    failed: int


@dataclass(frozen=True, slots=True)
class JudgedTest:
    """A test with its verdict, and what its failing attempts said (by run and attempt)."""

    key: CaseKey
    analysis: Analysis
    messages: Mapping[tuple[int, int], str]


@dataclass(frozen=True, slots=True)
class SlowTest:
    """A test that takes long: seconds of its executions."""

    key: CaseKey
    median: float
    longest: float
    total: float
    executions: int


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan found.

    Attributes:
        runs: in the order they were judged in, oldest first; a run's id is its place in `collection.runs`.
        tests: tests that are flaky, broken, recovering or suspected, worst first.
        differing: tests of any verdict that fail in one job and pass in another on the same commit.
        verdicts: how many tests have each verdict.
        slow: slow tests, slowest first.
        sight: whether contradictions between runs could be seen at all.
        source: how runs of one commit were told.
        attempts: executions read, skipped ones included.
        seconds: time that all executions took together.
        files: reports read.
        unreadable: files that are no reports or could not be read.
        warnings: what was odd about reports that were read.
    """

    runs: tuple[RunView, ...]
    tests: tuple[JudgedTest, ...]
    differing: tuple[JudgedTest, ...]
    verdicts: Mapping[Verdict, int]
    slow: tuple[SlowTest, ...]
    sight: Sight
    source: CommitSource
    attempts: int
    seconds: float
    files: int
    unreadable: Sequence[Problem]
    warnings: Sequence[Problem]

    def of(self, verdict: Verdict) -> tuple[JudgedTest, ...]:
        """Return the tests with a verdict, worst first."""
        return tuple(test for test in self.tests if test.analysis.verdict is verdict)

    def run_of(self, run_id: int) -> RunView:
        """Return the run that a piece of evidence names."""
        return next(view for view in self.runs if view.run.id == run_id)


_SHOWN = (Verdict.FLAKY, Verdict.BROKEN, Verdict.RECOVERING, Verdict.SUSPECTED)


def judge(collection: Collection, options: Options) -> ScanResult:
    """Judge every test of a collection; the clock is that of the newest run, so that old reports do not age away."""
    views = _views(collection, options)
    by_id = {view.run.id: view.run for view in views}
    # All runs given are looked at, as far as the analysis allows, and however far apart they are.
    size = min(max(AnalysisConfig().window_size, len(views)), _LARGEST_WINDOW)
    config = AnalysisConfig(window_size=size, lookback_days=_CENTURY_DAYS)
    now = max((view.run.executed_at for view in views), default=_EPOCH)
    verdicts: Counter[Verdict] = Counter()
    shown: list[JudgedTest] = []
    differing: list[JudgedTest] = []
    for key, record in collection.tests.items():
        history = _history(record, by_id)
        analysis = evaluate(history, group=key.group, default_branch=options.default_branch, now=now, config=config)
        verdicts[analysis.verdict] += 1
        judged = JudgedTest(key, analysis, record.messages)
        if analysis.verdict in _SHOWN:
            shown.append(judged)
        if analysis.differences:
            differing.append(judged)
    return ScanResult(
        runs=tuple(views),
        tests=tuple(sorted(shown, key=_badness)),
        differing=tuple(sorted(differing, key=lambda test: _sortable(test.key))),
        verdicts=verdicts,
        slow=_slow(collection.tests, options),
        sight=_sight(views),
        source=_source(views, options),
        attempts=sum(run.attempts for run in collection.runs),
        seconds=sum(sum(record.seconds) for record in collection.tests.values()),
        files=collection.files,
        unreadable=collection.unreadable,
        warnings=collection.warnings,
    )


def _badness(test: JudgedTest) -> tuple[int, float, CaseKey]:
    return _SHOWN.index(test.analysis.verdict), -test.analysis.score.total, _sortable(test.key)


def _sortable(key: CaseKey) -> CaseKey:
    return key._replace(file=key.file or "")


def _history(record: CaseRecord, runs: Mapping[int, Run]) -> list[Observation]:
    observations = [Observation(runs[number], tuple(outcomes)) for number, outcomes in record.outcomes.items()]
    return sorted(observations, key=lambda observation: observation.run.order)


def _views(collection: Collection, options: Options) -> list[RunView]:
    """Return the runs with commit, job and time, oldest first, outages and mass failures told."""
    dated = all(run.timestamp for run in collection.runs)
    found = _commits_and_jobs(collection, options)
    facts = _facts(collection)
    views: list[RunView] = []
    for number, (run, (commit, job)) in enumerate(zip(collection.runs, found, strict=True)):
        tests, failed, groups = facts[number]
        judged = Run(
            id=number,
            executed_at=_time(run, number, dated=dated),
            key=number.to_bytes(4),
            # A run of unknown commit is alone with it: nothing contradicts it.
            commit=commit or f"unknown commit of {run.folder.name}",
            branch=branch_of(run.properties) or options.default_branch,
            job=job,
            outage=is_outage(tests, failed),
            mass_failures=mass_failures(groups),
        )
        views.append(RunView(run.folder.name, judged, commit, dated, tests, failed))
    return sorted(views, key=lambda view: (view.run.executed_at, natural_key(view.folder)))


def _commits_and_jobs(collection: Collection, options: Options) -> list[tuple[str | None, str]]:
    if options.same_commit:
        return [(ONE_COMMIT, "")] * len(collection.runs)
    found = places([run.folder for run in collection.runs])
    commits = [commit_of(run.properties) or place.commit for run, place in zip(collection.runs, found, strict=True)]
    jobs = [place.job for place in found]
    # Without any commit, names that no two runs share (`monday`, `tuesday`) are names of runs and not of jobs.
    if not any(commits) and len(set(jobs)) == len(jobs):
        jobs = [""] * len(jobs)
    return list(zip(commits, jobs, strict=True))


def _time(run: RunRecord, number: int, *, dated: bool) -> datetime:
    # Folders come in natural order of their names: it stands in for time unless every run is dated.
    return run.timestamp if dated and run.timestamp else _EPOCH + timedelta(minutes=number)


type _Facts = tuple[int, int, list[tuple[str, int, int]]]


def _facts(collection: Collection) -> list[_Facts]:
    """Return for each run: tests not skipped, tests whose last attempt failed, and the same by group."""
    tests = [0] * len(collection.runs)
    failed = [0] * len(collection.runs)
    groups: list[dict[str, list[int]]] = [defaultdict(lambda: [0, 0]) for _ in collection.runs]
    for key, record in collection.tests.items():
        for number, outcomes in record.outcomes.items():
            ran = [outcome for outcome in outcomes if outcome is not Outcome.SKIPPED]
            if not ran:
                continue
            tests[number] += 1
            failed[number] += ran[-1].is_bad
            group = groups[number][key.group]
            group[0] += 1
            group[1] += any(outcome.is_bad for outcome in ran)
    return [
        (tests[number], failed[number], [(name, ran, bad) for name, (ran, bad) in groups[number].items()])
        for number in range(len(collection.runs))
    ]


def _sight(views: Sequence[RunView]) -> Sight:
    seen = Counter(view.run.place for view in views if view.commit)
    repeated = any(count >= _REPEATED for count in seen.values())
    return Sight.CONTRADICTIONS if repeated else Sight.PATTERNS_ONLY


def _source(views: Sequence[RunView], options: Options) -> CommitSource:
    if options.same_commit:
        return CommitSource.SAME_COMMIT
    return CommitSource.REPORTS if any(view.commit for view in views) else CommitSource.NOTHING


def _slow(tests: Mapping[CaseKey, CaseRecord], options: Options) -> tuple[SlowTest, ...]:
    timed = (
        SlowTest(key, statistics.median(record.seconds), max(record.seconds), sum(record.seconds), len(record.seconds))
        for key, record in tests.items()
        if record.seconds
    )
    slow = [test for test in timed if test.median >= options.slow_seconds]
    slow.sort(key=lambda test: (-test.median, _sortable(test.key)))
    return tuple(slow[: options.slow_limit])

"""Failures at the end of branches, failures that ended there, and jobs that disagree."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.course import Series, rows
from flakeguard.analysis.model import GREEN, RED, BrokenStreak, JobDifference, Observation
from flakeguard.analysis.posterior import flake_rate, passes_until_improbable
from flakeguard.analysis.timeline import Timeline, only_red, trailing_red

type Judge = Callable[[Sequence[Observation]], bool]
"""Says of the failures at the end of a series whether they make it broken."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A broken stretch of a branch that was followed by passes.

    Attributes:
        failures: the failing observations, oldest first.
        last: the passing ones in a row that healed it, else the last in a row (none when it failed again just now).
        needed: passing runs in a row that prove the repair.
        healed: enough passes, on enough commits.
    """

    failures: tuple[Observation, ...]
    last: tuple[Observation, ...]
    needed: int
    healed: bool


def is_conclusive(failures: Sequence[Observation], broken_commits: int) -> bool:
    """Whether failures without a pass are enough to say broken.

    They are on `broken_commits` commits; on fewer (the only ones since it began to fail) they have to be as many
    executions: one failure alone is not told from a flake.
    """
    executions = sum([failure.failed for failure in failures])
    return executions >= broken_commits or on_enough_commits(failures, broken_commits)


def on_enough_commits(failures: Sequence[Observation], broken_commits: int) -> bool:
    """Whether failures without a pass are on `broken_commits` commits."""
    return len({failure.run.commit for failure in failures}) >= broken_commits


def failing_ends(
    timeline: Timeline, default_branch: str, judge: Judge, different: frozenset[str] = frozenset()
) -> tuple[BrokenStreak, ...]:
    """Return what fails at the end of its branch: whole branches, else single jobs; the default branch first.

    Args:
        timeline: the failures.
        default_branch: comes first.
        judge: which of them are broken.
        different: jobs in which the test only fails: they do not speak for a branch whose other jobs have not run yet.
    """
    branches = dict.fromkeys(stretch.branch for stretch in timeline.stretches if stretch.after is None)
    found = [streak for branch in branches for streak in _branch_ends(timeline, branch, judge, different)]
    found.sort(key=lambda streak: streak.since, reverse=True)
    found.sort(key=lambda streak: streak.branch != default_branch)
    return tuple(found)


def _branch_ends(timeline: Timeline, branch: str, judge: Judge, different: frozenset[str]) -> Iterator[BrokenStreak]:
    whole = trailing_red(timeline.observations, timeline.course.series(branch, without=different))
    if whole:
        yield _streak(branch, None, whole, judge)
        return
    jobs = {s.job for s in timeline.stretches if s.branch == branch and s.after is None}
    for job in sorted(jobs):
        failures = trailing_red(timeline.observations, timeline.course.series(branch, job))
        if failures:
            yield _streak(branch, job, failures, judge)


def _streak(branch: str, job: str | None, failures: Sequence[Observation], judge: Judge) -> BrokenStreak:
    first = failures[0].run
    return BrokenStreak(
        branch=branch,
        job=job,
        since_commit=first.commit,
        since=first.executed_at,
        commits=len({failure.run.commit for failure in failures}),
        failures=sum(failure.failed for failure in failures),
        runs=tuple(failure.run.id for failure in failures),
        broken=judge(failures),
    )


def last_repair(timeline: Timeline, series: Series, config: AnalysisConfig) -> Repair | None:
    """Return the last broken stretch of a branch that passes followed.

    Args:
        timeline: the failures.
        series: the branch's runs.
        config: how long a stretch is broken, and the confidence that proves its repair.
    """
    failing = {failure.run.commit for failure in timeline.failures} & series.ranks.keys()
    red = [series.ranks[commit] for commit in failing if only_red(timeline.observations, series, commit)]
    for row in reversed(rows(red)):
        failures = _of_commits(timeline, series, row)
        after = range(row.stop, len(series.commits))
        if after and is_conclusive(failures, config.broken_commits):
            return _repair(failures, _of_commits(timeline, series, after), config)
    return None


def _of_commits(timeline: Timeline, series: Series, ranks: range) -> list[Observation]:
    commits = series.commits[ranks.start : ranks.stop]
    return [timeline.observations[index] for index in series.at(commits)]


def _repair(failures: list[Observation], after: list[Observation], config: AnalysisConfig) -> Repair:
    old_rate = flake_rate(len(failures), len(failures), config.confidence)
    needed = max(passes_until_improbable(old_rate.low, config.confidence), config.broken_commits)
    row: list[Observation] = []
    for observation in after:
        if observation.failed:
            row.clear()
            continue
        row.append(observation)
        if len(row) >= needed and len({passed.run.commit for passed in row}) >= config.broken_commits:
            return Repair(tuple(failures), tuple(row), needed, healed=True)
    return Repair(tuple(failures), tuple(row), needed, healed=False)


def job_differences(timeline: Timeline, broken_commits: int) -> tuple[JobDifference, ...]:
    """Return the pairs of jobs that disagree, each agreeing with itself, on commits of the window."""
    disagreements: dict[tuple[str, str], list[str]] = {}
    for commit, jobs in timeline.colours.items():
        if len(jobs) == 1:
            continue
        for job in (job for job, colour in jobs.items() if colour == RED):
            for other in (other for other, colour in jobs.items() if colour == GREEN):
                disagreements.setdefault((job, other), []).append(commit)
    return tuple(
        JobDifference(job, other, len(commits), commits[-1], _lasting(timeline, job, commits, broken_commits))
        for (job, other), commits in sorted(disagreements.items())
    )


def _lasting(timeline: Timeline, job: str, commits: Sequence[str], broken_commits: int) -> bool:
    if len(commits) < broken_commits:
        return False
    return set(timeline.course.series(job=job).commits[-broken_commits:]) <= set(commits)

"""Failures at the end of branches, failures that ended there, and jobs that disagree."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.model import GREEN, RED, BrokenStreak, JobDifference, Observation
from flakeguard.analysis.posterior import flake_rate, passes_until_improbable
from flakeguard.analysis.timeline import Timeline, trailing_red

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
    executions = sum(failure.failed for failure in failures)
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
    series = [observation for observation in timeline.observations if observation.run.branch == branch]
    whole = trailing_red([observation for observation in series if observation.run.job not in different])
    if whole:
        yield _streak(branch, None, whole, judge)
        return
    jobs = {s.job for s in timeline.stretches if s.branch == branch and s.after is None}
    for job in sorted(jobs):
        failures = trailing_red([observation for observation in series if observation.run.job == job])
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


def last_repair(series: Sequence[Observation], config: AnalysisConfig) -> Repair | None:
    """Return the last broken stretch of a branch that passes followed.

    Args:
        series: the branch's observations that count, oldest first.
        config: how long a stretch is broken, and the confidence that proves its repair.
    """
    colours: dict[str, int] = {}
    for observation in series:
        commit = observation.run.commit
        colours[commit] = colours.get(commit, 0) | observation.colour
    begin = end = None
    stretch: list[str] = []
    order = list(colours)
    for index, commit in enumerate(order):
        if colours[commit] == RED:
            stretch.append(commit)
            continue
        if stretch and is_conclusive(_of_commits(series, stretch), config.broken_commits):
            begin, end = index - len(stretch), index
        stretch = []
    if begin is None or end is None:
        return None
    failures = _of_commits(series, order[begin:end])
    after = _of_commits(series, order[end:])
    return _repair(failures, after, config)


def _of_commits(series: Sequence[Observation], commits: Sequence[str]) -> list[Observation]:
    wanted = set(commits)
    return [observation for observation in series if observation.run.commit in wanted]


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
    run = dict.fromkeys(o.run.commit for o in timeline.observations if o.run.job == job)
    return set(list(run)[-broken_commits:]) <= set(commits)

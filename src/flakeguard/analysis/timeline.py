"""The shape of a history: where it contradicts itself, and where failures begin and end.

This and what builds on it runs for every failing test of every upload, on a handful of failures each: lists stand where
`any` and `all` would have a generator, and named tuples where there are many of a kind, as both are made faster.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from flakeguard.analysis.course import Course, Series, rows
from flakeguard.analysis.model import MIXED, RED, Observation

type Place = tuple[str, str]
"""Commit and job."""

type Stream = tuple[str, str]
"""Branch and job."""


class Contradiction(NamedTuple):
    """Both outcomes at one place.

    Attributes:
        place: commit and job.
        observations: all observations there, oldest first.
        failures: those with a failing attempt.
        shared: every failure came with a mass failure of the test's group, so it may not be the test's own.
    """

    place: Place
    observations: tuple[Observation, ...]
    failures: tuple[Observation, ...]
    shared: bool

    @property
    def commits(self) -> tuple[str, ...]:
        """The one commit."""
        return self.place[:1]


class Stretch(NamedTuple):
    """Consecutive commits of one branch on which one job only failed.

    Attributes:
        branch: the branch.
        job: the job.
        commits: the commits, oldest first.
        failures: the failing observations, oldest first.
        before: the commit of the same branch and job before it; None at the window's edge.
        after: the commit after it; None while it lasts.
        shared: every failure came with a mass failure of the test's group.
    """

    branch: str
    job: str
    commits: tuple[str, ...]
    failures: tuple[Observation, ...]
    before: str | None
    after: str | None
    shared: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a history with failures looks like.

    Attributes:
        observations: those that count, oldest first.
        course: their runs.
        failures: those of them with a failing attempt.
        contradictions: oldest first.
        stretches: by branch and job, each oldest first.
        colours: for every commit with a failure, what each job showed there.
    """

    observations: Sequence[Observation]
    course: Course
    failures: Sequence[Observation]
    contradictions: tuple[Contradiction, ...]
    stretches: tuple[Stretch, ...]
    colours: dict[str, dict[str, int]]


def trace(observations: Sequence[Observation], group: str, course: Course | None = None) -> Timeline:
    """Trace the failures of one test.

    Args:
        observations: those that count, oldest first.
        group: the test's group in `Run.mass_failures`.
        course: of the observations, where it is known already.
    """
    course = course or Course.of(observations)
    failures = [observation for observation in observations if observation.failed]
    colours = _colours(observations, failures, course)
    mixed = {(commit, job) for commit, jobs in colours.items() for job, colour in jobs.items() if colour == MIXED}
    red = [failure for failure in failures if failure.run.place not in mixed] if mixed else failures
    return Timeline(
        observations=observations,
        course=course,
        failures=failures,
        contradictions=tuple(_contradictions(observations, mixed, course, group)) if mixed else (),
        stretches=tuple(_stretches(red, course, group)) if red else (),
        colours=colours,
    )


def is_shared(failures: Sequence[Observation], group: str) -> bool:
    """Whether every one of these failures came with a mass failure of the group."""
    return not [failure for failure in failures if group not in failure.run.mass_failures]


def _colours(
    observations: Sequence[Observation], failures: Sequence[Observation], course: Course
) -> dict[str, dict[str, int]]:
    commits = sorted({failure.run.commit for failure in failures}, key=course.all.ranks.__getitem__)
    return {
        commit: {job: _colour(observations, indexes) for job, indexes in course.places[commit].items()}
        for commit in commits
    }


def _colour(observations: Sequence[Observation], indexes: Sequence[int]) -> int:
    colour = 0
    for index in indexes:
        colour |= observations[index].colour
    return colour


def _contradictions(
    observations: Sequence[Observation], mixed: set[Place], course: Course, group: str
) -> Iterator[Contradiction]:
    found = [(course.places[commit][job], (commit, job)) for commit, job in mixed]
    for indexes, place in sorted(found):  # by the oldest run
        here = tuple([observations[index] for index in indexes])
        failing = tuple([observation for observation in here if observation.failed])
        yield Contradiction(place, here, failing, is_shared(failing, group))


def _stretches(red: Sequence[Observation], course: Course, group: str) -> Iterator[Stretch]:
    failing: dict[Stream, dict[str, list[Observation]]] = {}
    for failure in red:
        failing.setdefault(failure.run.stream, {}).setdefault(failure.run.commit, []).append(failure)
    for stream, by_commit in failing.items():
        yield from _stream_stretches(stream, course.series(*stream), by_commit, group)


def _stream_stretches(
    stream: Stream, series: Series, failing: dict[str, list[Observation]], group: str
) -> Iterator[Stretch]:
    commits = series.commits
    for row in rows([series.ranks[commit] for commit in failing]):
        inside = commits[row.start : row.stop]
        failures = tuple([failure for commit in inside for failure in failing[commit]])
        yield Stretch(
            branch=stream[0],
            job=stream[1],
            commits=inside,
            failures=failures,
            before=commits[row.start - 1] if row.start else None,
            after=commits[row.stop] if row.stop < len(commits) else None,
            shared=is_shared(failures, group),
        )


def trailing_red(observations: Sequence[Observation], series: Series) -> list[Observation]:
    """Return the failures on the last commits of a series, back to the last commit with a pass; oldest first.

    Commits are in the order in which they were first run; a rerun of an old commit does not make it the last.

    Args:
        observations: those of the whole course.
        series: the runs of it to look at.
    """
    begin = len(series.commits)
    while begin and only_red(observations, series, series.commits[begin - 1]):
        begin -= 1
    return [observations[index] for index in series.at(series.commits[begin:])]


def only_red(observations: Sequence[Observation], series: Series, commit: str) -> bool:
    """Whether every run of the series failed at this commit, without a pass."""
    return not [index for index in series.indexes[commit] if observations[index].colour != RED]

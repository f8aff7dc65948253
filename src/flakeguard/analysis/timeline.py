"""The shape of a history: where it contradicts itself, and where failures begin and end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flakeguard.analysis.model import GREEN, MIXED, RED, Observation

type Place = tuple[str, str]
"""Commit and job."""

type Stream = tuple[str, str]
"""Branch and job."""


@dataclass(frozen=True, slots=True)
class Contradiction:
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


@dataclass(frozen=True, slots=True)
class Stretch:
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
        failures: those of them with a failing attempt.
        contradictions: oldest first.
        stretches: by branch and job, each oldest first.
        colours: for every commit with a failure, what each job showed there.
    """

    observations: Sequence[Observation]
    failures: Sequence[Observation]
    contradictions: tuple[Contradiction, ...]
    stretches: tuple[Stretch, ...]
    colours: dict[str, dict[str, int]]


def trace(observations: Sequence[Observation], group: str) -> Timeline:
    """Trace the failures of one test.

    Args:
        observations: those that count, oldest first.
        group: the test's group in `Run.mass_failures`.
    """
    failures = [observation for observation in observations if observation.failed]
    commits = {failure.run.commit for failure in failures}
    at_failures = [observation for observation in observations if observation.run.commit in commits]
    colours = _colours(at_failures)
    mixed = {(commit, job) for commit, jobs in colours.items() for job, colour in jobs.items() if colour == MIXED}
    red = [failure for failure in failures if failure.run.place not in mixed] if mixed else failures
    return Timeline(
        observations=observations,
        failures=failures,
        contradictions=tuple(_contradictions(at_failures, mixed, group)) if mixed else (),
        stretches=tuple(_stretches(red, observations, group)) if red else (),
        colours=colours,
    )


def is_shared(failures: Sequence[Observation], group: str) -> bool:
    """Whether every one of these failures came with a mass failure of the group."""
    return all(group in failure.run.mass_failures for failure in failures)


def _colours(observations: Sequence[Observation]) -> dict[str, dict[str, int]]:
    colours: dict[str, dict[str, int]] = {}
    for observation in observations:
        commit, job = observation.run.place
        jobs = colours.setdefault(commit, {})
        jobs[job] = jobs.get(job, 0) | observation.colour
    return colours


def _contradictions(at_failures: Sequence[Observation], mixed: set[Place], group: str) -> Iterator[Contradiction]:
    places: dict[Place, list[Observation]] = {}
    for observation in at_failures:
        if observation.run.place in mixed:
            places.setdefault(observation.run.place, []).append(observation)
    for place, found in places.items():
        failing = tuple([observation for observation in found if observation.failed])
        yield Contradiction(place, tuple(found), failing, is_shared(failing, group))


def _stretches(red: Sequence[Observation], observations: Sequence[Observation], group: str) -> Iterator[Stretch]:
    failing: dict[Stream, dict[str, list[Observation]]] = {}
    for failure in red:
        failing.setdefault(failure.run.stream, {}).setdefault(failure.run.commit, []).append(failure)
    commits: dict[Stream, dict[str, None]] = {stream: {} for stream in failing}
    for observation in observations:
        run = observation.run
        if run.stream in commits:
            commits[run.stream][run.commit] = None
    for stream, by_commit in failing.items():
        yield from _stream_stretches(stream, list(commits[stream]), by_commit, group)


def _stream_stretches(
    stream: Stream, commits: Sequence[str], failing: dict[str, list[Observation]], group: str
) -> Iterator[Stretch]:
    begin: int | None = None
    for index, commit in enumerate([*commits, ""]):
        if index < len(commits) and commit in failing:
            begin = index if begin is None else begin
        elif begin is not None:
            inside = tuple(commits[begin:index])
            failures = tuple(failure for name in inside for failure in failing[name])
            yield Stretch(
                branch=stream[0],
                job=stream[1],
                commits=inside,
                failures=failures,
                before=commits[begin - 1] if begin else None,
                after=commits[index] if index < len(commits) else None,
                shared=is_shared(failures, group),
            )
            begin = None


def trailing_red(observations: Sequence[Observation]) -> list[Observation]:
    """Return the failures on the last commits of a series, back to the last commit with a pass; oldest first.

    Commits are in the order in which they were first run; a rerun of an old commit does not make it the last.
    """
    colours: dict[str, int] = {}
    for observation in observations:
        commit = observation.run.commit
        colours[commit] = colours.get(commit, 0) | observation.colour
    last: set[str] = set()
    for commit in reversed(colours):
        if colours[commit] & GREEN or not colours[commit] & RED:
            break
        last.add(commit)
    return [observation for observation in observations if observation.run.commit in last]

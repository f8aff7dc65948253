"""The shape of a history: where it contradicts itself, and where failures begin and end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flakeguard.analysis.model import GREEN, RED, Observation

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
        shared: every failure came with a mass failure of the test's group, so it may not be the test's own.
    """

    place: Place
    observations: tuple[Observation, ...]
    shared: bool

    @property
    def commits(self) -> tuple[str, ...]:
        """The one commit."""
        return self.place[:1]

    @property
    def failures(self) -> tuple[Observation, ...]:
        """The observations with a failing attempt."""
        return tuple(observation for observation in self.observations if observation.failed)


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
        jobs_passing: jobs that passed, for every commit with a failure.
    """

    observations: Sequence[Observation]
    failures: Sequence[Observation]
    contradictions: tuple[Contradiction, ...]
    stretches: tuple[Stretch, ...]
    jobs_passing: dict[str, set[str]]


def trace(observations: Sequence[Observation], group: str) -> Timeline:
    """Trace the failures of one test.

    Args:
        observations: those that count, oldest first.
        group: the test's group in `Run.mass_failures`.
    """
    failures = [observation for observation in observations if observation.failed]
    at_failures = _at_commits_of(failures, observations)
    contradictions = tuple(_contradictions(failures, at_failures, group))
    mixed = {contradiction.place for contradiction in contradictions}
    red = [failure for failure in failures if failure.run.place not in mixed]
    return Timeline(
        observations=observations,
        failures=failures,
        contradictions=contradictions,
        stretches=tuple(_stretches(red, observations, group)) if red else (),
        jobs_passing=_jobs_passing(at_failures),
    )


def is_shared(failures: Sequence[Observation], group: str) -> bool:
    """Whether every one of these failures came with a mass failure of the group."""
    return all(group in failure.run.mass_failures for failure in failures)


def _at_commits_of(failures: Sequence[Observation], observations: Sequence[Observation]) -> list[Observation]:
    commits = {failure.run.commit for failure in failures}
    return [observation for observation in observations if observation.run.commit in commits]


def _contradictions(
    failures: Sequence[Observation], at_failures: Sequence[Observation], group: str
) -> Iterator[Contradiction]:
    places: dict[Place, list[Observation]] = {failure.run.place: [] for failure in failures}
    for observation in at_failures:
        if observation.run.place in places:
            places[observation.run.place].append(observation)
    for place, found in places.items():
        if any(observation.passed for observation in found):
            failing = [observation for observation in found if observation.failed]
            yield Contradiction(place, tuple(found), is_shared(failing, group))


def _jobs_passing(at_failures: Sequence[Observation]) -> dict[str, set[str]]:
    passing: dict[str, set[str]] = {}
    for observation in at_failures:
        jobs = passing.setdefault(observation.run.commit, set())
        if observation.passed:
            jobs.add(observation.run.job)
    return passing


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

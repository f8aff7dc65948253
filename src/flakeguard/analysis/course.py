"""The runs of a history, and what follows from them alone: their commits, in order, by branch and job.

Most tests of a suite ran in the same runs. What these say is found out once, so that judging a test costs by its
failures and not by its window. Observation and run have the same index, one in the history, the other in its course.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from flakeguard.analysis.model import Observation, Run

_KEPT = 256
"""Some seven megabytes of full windows, where every test ran in runs of its own choice."""


@dataclass(frozen=True, slots=True)
class Series:
    """Some runs of a course, by commit.

    Attributes:
        commits: in the order in which they were first run here.
        ranks: place of each commit in `commits`.
        indexes: of each commit's runs in the course, ascending.
    """

    commits: tuple[str, ...]
    ranks: dict[str, int]
    indexes: dict[str, list[int]]

    def at(self, commits: Iterable[str]) -> list[int]:
        """Indexes of the runs of these commits, ascending; a commit that is not in the series has none."""
        return sorted([index for commit in commits for index in self.indexes.get(commit, ())])


class Course:
    """The runs of a history, oldest first."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self._series: dict[tuple[str | None, str | None, frozenset[str]], Series] = {}

    @cached_property
    def commits(self) -> frozenset[str]:
        """The commits they are of."""
        return frozenset([run.commit for run in self.runs])

    @cached_property
    def branches(self) -> frozenset[str]:
        """The branches they are of."""
        return frozenset([run.branch for run in self.runs])

    @cached_property
    def jobs(self) -> Counter[str]:
        """How many of them each job has."""
        return Counter([run.job for run in self.runs])

    @cached_property
    def orders(self) -> list[tuple[datetime, bytes]]:
        """The places of the runs in time, ascending."""
        return [run.order for run in self.runs]

    @cached_property
    def places(self) -> dict[str, dict[str, list[int]]]:
        """Indexes of the runs by commit and job, ascending; each in the order in which it was first run."""
        places: dict[str, dict[str, list[int]]] = {}
        for index, run in enumerate(self.runs):
            places.setdefault(run.commit, {}).setdefault(run.job, []).append(index)
        return places

    @cached_property
    def all(self) -> Series:
        """The series of all of them."""
        return self.series()

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> "Course":
        """The course of these observations, oldest first."""
        return cls([observation.run for observation in observations])

    def series(
        self, branch: str | None = None, job: str | None = None, without: frozenset[str] = frozenset()
    ) -> Series:
        """The runs of one branch or job or both, without those of some jobs; None is any."""
        key = (branch, job, without)
        if (series := self._series.get(key)) is None:
            series = self._series[key] = self._select(branch, job, without)
        return series

    def _select(self, branch: str | None, job: str | None, without: frozenset[str]) -> Series:
        indexes: dict[str, list[int]] = {}
        for index, run in enumerate(self.runs):
            if (branch is None or run.branch == branch) and (job is None or run.job == job) and run.job not in without:
                indexes.setdefault(run.commit, []).append(index)
        commits = tuple(indexes)
        return Series(commits, {commit: rank for rank, commit in enumerate(commits)}, indexes)


class Courses(dict[tuple[int, ...], Course]):
    """Courses by the ids of their runs, each id that of one run; the newest few hundred are kept."""

    def of(self, observations: Sequence[Observation]) -> Course:
        """The course of these observations, oldest first; histories that ran in the same runs get the same one."""
        ids = tuple([observation.run.id for observation in observations])
        if (course := self.get(ids)) is None:
            if len(self) >= _KEPT:
                del self[next(iter(self))]
            course = self[ids] = Course.of(observations)
        return course


def rows(ranks: Iterable[int]) -> list[range]:
    """Group numbers that follow each other; ascending."""
    found: list[range] = []
    for rank in sorted(ranks):
        if found and found[-1].stop == rank:
            found[-1] = range(found[-1].start, rank + 1)
        else:
            found.append(range(rank, rank + 1))
    return found

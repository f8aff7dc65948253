"""What of a history is put down to chance, and whether passes since have answered it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.model import GREEN, Observation
from flakeguard.analysis.pattern import Split, incidents, weigh
from flakeguard.analysis.timeline import Contradiction, Stretch, Timeline
from flakeguard.analysis.verdict import Healing, healing


@dataclass(frozen=True, slots=True)
class Chance:
    """The flaky side of a history.

    Attributes:
        proven: contradictions that are the test's own.
        split: which other failures are put down to chance.
        suspected: whether there is a pattern, and its suspicion reaches the threshold.
        healing: how far passes since speak against the rate; None where no flake is proven or suspected.
        passes: the passing observations since the last flake, oldest first.
        different: jobs in which the test only fails while others pass.
    """

    proven: tuple[Contradiction, ...]
    split: Split
    suspected: bool
    healing: Healing | None
    passes: tuple[Observation, ...]
    different: frozenset[str]

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """Stretches of failures that are put down to chance."""
        return tuple(stretch for incident in self.split.chance for stretch in incident.stretches)

    @property
    def failures(self) -> tuple[Observation, ...]:
        """Failing observations that are put down to chance, the proven ones included."""
        own = (failure for contradiction in self.proven for failure in contradiction.failures)
        return (*own, *(failure for incident in self.split.chance for failure in incident.failures))


def find_chance(timeline: Timeline, default_branch: str, config: AnalysisConfig) -> Chance:
    """Weigh the failures of a timeline.

    Failures that came with a mass failure of the test's group are left out, as failures and as trials, until they
    are seen on `shared_commits` commits: a class that keeps failing together is flaky together. So are those of a
    job in which the test only fails, on whatever branch, while other jobs pass: Windows is not chance.
    """
    proven = _own(timeline.contradictions, config)
    different = _different(timeline, config)
    stretches = tuple([stretch for stretch in _own(timeline.stretches, config) if stretch.job not in different])
    jobs = {contradiction.place[1] for contradiction in proven} | {stretch.job for stretch in stretches}
    flakes = [failure for contradiction in proven for failure in contradiction.failures]
    split = weigh(
        incidents(stretches, timeline, default_branch, config.pattern),
        proven=len(flakes),
        runs=sum([timeline.course.jobs[job] for job in jobs]) - _ignored(timeline, proven, stretches, jobs),
        model=config.pattern,
    )
    suspected = not proven and split.suspicion >= config.suspected_threshold and _is_pattern(split)
    if not (proven or suspected):
        return Chance(proven, split, suspected=False, healing=None, passes=(), different=different)
    flakes += [failure for incident in split.chance for failure in incident.failures]
    passes = _since(flakes, timeline, jobs)
    runs_before = max(split.runs - len(passes), split.flaked)
    return Chance(
        proven=proven,
        split=split,
        suspected=suspected,
        healing=healing(split.flaked, runs_before, len(passes), config),
        passes=passes,
        different=different,
    )


def _is_pattern(split: Split) -> bool:
    """Whether failures repeat, or a failure was alone at its commit because another job passed there.

    One failure that came and went in every job is what a fixed regression looks like, however short.
    """
    return len(split.chance) > 1 or any(incident.one_job for incident in split.chance)


def _own[T: (Contradiction, Stretch)](found: Sequence[T], config: AnalysisConfig) -> tuple[T, ...]:
    shared = [one for one in found if one.shared]
    if shared and len({commit for one in shared for commit in one.commits}) < config.shared_commits:
        return tuple([one for one in found if not one.shared])
    return tuple(found)


def _different(timeline: Timeline, config: AnalysisConfig) -> frozenset[str]:
    """Jobs that have not passed once since they began to fail, on enough commits, while other jobs passed."""
    jobs = {stretch.job for stretch in timeline.stretches}
    return frozenset([job for job in jobs if _only_fails(job, timeline, config)])


def _only_fails(job: str, timeline: Timeline, config: AnalysisConfig) -> bool:
    failures = [failure for failure in timeline.failures if failure.run.job == job]
    commits = {failure.run.commit for failure in failures}
    if len(commits) < config.broken_commits or _passed_since(failures[0], timeline):
        return False
    passed = [commit for commit in commits if any(colour & GREEN for colour in timeline.colours[commit].values())]
    return len(passed) >= config.broken_commits


def _passed_since(failure: Observation, timeline: Timeline) -> bool:
    """Whether the failure's job passed in that run or a later one."""
    begun, job = failure.run.order, failure.run.job
    for observation in reversed(timeline.observations):
        if observation.run.order < begun:
            break
        if observation.passed and observation.run.job == job:
            return True
    return False


def _ignored(timeline: Timeline, proven: Sequence[Contradiction], stretches: Sequence[Stretch], jobs: set[str]) -> int:
    """Count the failures of these jobs that are no trials: those of other contradictions and stretches."""
    if len(proven) == len(timeline.contradictions) and len(stretches) == len(timeline.stretches):
        return 0
    trials = {failure.run.id for one in (*proven, *stretches) for failure in one.failures}
    return len([f for f in timeline.failures if f.run.job in jobs and f.run.id not in trials])


def _since(flakes: Sequence[Observation], timeline: Timeline, jobs: set[str]) -> tuple[Observation, ...]:
    last = max([flake.run.order for flake in flakes])
    start = bisect_right(timeline.course.orders, last)
    return tuple([o for o in timeline.observations[start:] if o.run.job in jobs and not o.failed])

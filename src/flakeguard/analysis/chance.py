"""What of a history is put down to chance, and whether passes since have answered it."""

from collections.abc import Sequence
from dataclasses import dataclass

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.model import Observation
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
    stretches = tuple(stretch for stretch in _own(timeline.stretches, config) if stretch.job not in different)
    jobs = {contradiction.place[1] for contradiction in proven} | {stretch.job for stretch in stretches}
    flakes = [failure for contradiction in proven for failure in contradiction.failures]
    ignored = _runs(timeline.contradictions, timeline.stretches) - _runs(proven, stretches)
    split = weigh(
        incidents(stretches, timeline, default_branch, config.pattern),
        proven=len(flakes),
        runs=sum([o.run.job in jobs and o.run.id not in ignored for o in timeline.observations]),
        model=config.pattern,
    )
    suspected = not proven and split.suspicion >= config.suspected_threshold and _is_pattern(split)
    if not (proven or suspected):
        return Chance(proven, split, suspected=False, healing=None, passes=(), different=different)
    flakes += [failure for incident in split.chance for failure in incident.failures]
    passes = _since(flakes, timeline.observations, jobs)
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
        return tuple(one for one in found if not one.shared)
    return tuple(found)


def _different(timeline: Timeline, config: AnalysisConfig) -> frozenset[str]:
    """Jobs that have not passed once since they began to fail, on enough commits, while other jobs passed."""
    jobs = {stretch.job for stretch in timeline.stretches}
    return frozenset(job for job in jobs if _only_fails(job, timeline, config))


def _only_fails(job: str, timeline: Timeline, config: AnalysisConfig) -> bool:
    failures = [failure for failure in timeline.failures if failure.run.job == job]
    commits = {failure.run.commit for failure in failures}
    if len(commits) < config.broken_commits:
        return False
    begun = failures[0].run.order
    passes = [observation for observation in timeline.observations if observation.passed]
    if any(passed.run.job == job and passed.run.order >= begun for passed in passes):
        return False
    return len(commits & {passed.run.commit for passed in passes}) >= config.broken_commits


def _runs(contradictions: Sequence[Contradiction], stretches: Sequence[Stretch]) -> set[int]:
    return {failure.run.id for one in (*contradictions, *stretches) for failure in one.failures}


def _since(
    flakes: Sequence[Observation], observations: Sequence[Observation], jobs: set[str]
) -> tuple[Observation, ...]:
    last = max(flake.run.order for flake in flakes)
    passes: list[Observation] = []
    for observation in reversed(observations):
        if observation.run.order <= last:
            break
        if observation.run.job in jobs and not observation.failed:
            passes.append(observation)
    return tuple(reversed(passes))

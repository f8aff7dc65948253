"""The judgement: from the facts of a history to one of six verdicts.

The order of the rules is the order of the docs' table: broken, flaky (or recovering from it), suspected,
recovering from broken, unproven, stable. Nothing here remembers an earlier verdict; what looks like memory (a
recovering test) is in the window.
"""

from dataclasses import dataclass

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.model import Interval, Verdict
from flakeguard.analysis.posterior import flake_rate, passes_until_improbable


@dataclass(frozen=True, slots=True)
class Healing:
    """How far passes since the last flake speak against the rate before it.

    Attributes:
        rate: posterior of the rate before the last flake.
        passes: passing runs since, in the jobs that flaked.
        doubted_at: passes that make the mean rate improbable: recovering.
        healed_at: passes that make even the interval's low end improbable: stable.
    """

    rate: Interval
    passes: int
    doubted_at: int
    healed_at: int

    @property
    def recovering(self) -> bool:
        """Whether the passes make the rate improbable."""
        return self.passes >= self.doubted_at

    @property
    def healed(self) -> bool:
        """Whether the passes make every credible rate improbable."""
        return self.passes >= self.healed_at


def healing(flaked: int, runs: int, passes: int, config: AnalysisConfig) -> Healing:
    """Judge the passes since the last flake.

    The runs that are looked at end with a flake because that is where they were cut, so this flake says nothing of
    the rate (inverse sampling): the rate is that of the runs before it.

    Args:
        flaked: runs that flaked.
        runs: trials up to and with the last flake.
        passes: passing runs since.
        config: the confidences.
    """
    rate = flake_rate(flaked - 1, runs - 1, config.confidence)
    healed_at = passes_until_improbable(rate.low, config.confidence)
    doubted_at = passes_until_improbable(rate.mean, config.recovering_confidence)
    return Healing(rate, passes, min(doubted_at, healed_at), healed_at)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the verdict is made of.

    Attributes:
        runs: runs that count.
        broken: the default branch ends in a conclusive streak of failures that chance does not explain.
        proven: the test contradicted itself, and not only in mass failures.
        suspected: a pattern without proof is probable enough.
        healing: of a proven or suspected test.
        repair_pending: the default branch was broken and has not passed often enough since.
    """

    runs: int
    broken: bool = False
    proven: bool = False
    suspected: bool = False
    healing: Healing | None = None
    repair_pending: bool = False


def judge(facts: Facts, config: AnalysisConfig) -> tuple[Verdict, Verdict | None]:
    """Return the verdict and, of a recovering test, what it was."""
    if facts.broken:
        return Verdict.BROKEN, None
    healed = facts.healing is not None and facts.healing.healed
    if facts.proven and not healed:
        if facts.healing is not None and facts.healing.recovering:
            return Verdict.RECOVERING, Verdict.FLAKY
        return Verdict.FLAKY, None
    if is_suspected(facts, config) and not healed:
        return Verdict.SUSPECTED, None
    if facts.repair_pending:
        return Verdict.RECOVERING, Verdict.BROKEN
    return (Verdict.STABLE if facts.runs >= config.min_runs else Verdict.UNPROVEN), None


def is_suspected(facts: Facts, config: AnalysisConfig) -> bool:
    """Whether there is a pattern without proof, seen on enough runs."""
    return facts.suspected and not facts.proven and facts.runs >= config.min_runs

"""The 40/30/20/10 score of the worker document: it ranks tests; it judges none.

The unit is the execution: every attempt that was not skipped, in the order of the runs and, within a run, of the
attempts. A skip is neither a pass nor a failure, so it is taken out before anything is counted: it neither
divides the failure rate, nor interrupts a streak, nor takes one of the ten recent places.
"""

from collections.abc import Sequence

from flakeguard.analysis.config import ScoreWeights
from flakeguard.analysis.model import Observation, Score, Severity

RECENT_EXECUTIONS = 10
_TRANSITION_MINIMUM = 3
_FAIL = 1
# (score from which, or recent failures from which) a severity holds, worst first.
_SEVERITIES = ((0.7, 5, Severity.CRITICAL), (0.5, 3, Severity.HIGH), (0.3, 2, Severity.MEDIUM))

NO_SCORE = Score(total=0.0, failure_rate=0.0, inconsistency=0.0, recency=0.0, branch_diversity=0.0)


def executions(observations: Sequence[Observation]) -> bytes:
    """Return one byte per execution, oldest first: 0 passed, 1 failed or error; skips are left out."""
    return b"".join([observation.marks for observation in observations])


def score(observations: Sequence[Observation], marks: bytes, weights: ScoreWeights) -> Score:
    """Score the observations that count, oldest first, whose `executions` are `marks`.

    score = min(1, 0.4·failure_rate + 0.3·inconsistency + 0.2·recency + 0.1·branch_diversity) by default.
    """
    if _FAIL not in marks:
        return NO_SCORE
    rate = failure_rate(marks)
    flips = inconsistency(marks)
    recent = recency(marks)
    spread = branch_diversity(observations)
    total = (
        weights.failure_rate * rate
        + weights.inconsistency * flips
        + weights.recency * recent
        + weights.branch_diversity * spread
    )
    return Score(min(1.0, total), rate, flips, recent, spread)


def failure_rate(marks: bytes) -> float:
    """Failures ÷ executions that were not skipped; 0 without any."""
    return marks.count(_FAIL) / len(marks) if marks else 0.0


def inconsistency(marks: bytes) -> float:
    """Changes between pass and fail ÷ (n - 1); 0 when n < 3."""
    if len(marks) < _TRANSITION_MINIMUM:
        return 0.0
    return (marks.count(b"\0\1") + marks.count(b"\1\0")) / (len(marks) - 1)


def recency(marks: bytes) -> float:
    """Share of weight on failures among the last w ≤ 10 executions; the i-th newest weighs (w - i) / w."""
    newest_first = marks[: -RECENT_EXECUTIONS - 1 : -1]
    width = len(newest_first)
    failing = sum([width - age for age, mark in enumerate(newest_first) if mark])
    return failing / (width * (width + 1) / 2) if width else 0.0


def branch_diversity(observations: Sequence[Observation]) -> float:
    """Branches with a failure ÷ branches seen; 0 with one branch."""
    seen = {observation.run.branch for observation in observations}
    if len(seen) <= 1:
        return 0.0
    return len({observation.run.branch for observation in observations if observation.failed}) / len(seen)


def recent_failures(marks: bytes) -> int:
    """Failures among the last ten executions."""
    return marks[-RECENT_EXECUTIONS:].count(_FAIL)


def severity(total: float, failures: int) -> Severity:
    """Severity of a score with this many recent failures, as the worker document grades them."""
    for least_score, least_failures, grade in _SEVERITIES:
        if total >= least_score or failures >= least_failures:
            return grade
    return Severity.LOW

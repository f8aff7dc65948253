"""What is known of a test, as a decision about its quarantine needs it. Pure."""

from datetime import datetime

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.explain import explain
from flakeguard.analysis.model import History, Verdict
from flakeguard.quarantine.decisions import Standing
from flakeguard.quarantine.policy import QuarantinePolicy


def standing_of(
    history: History,
    *,
    verdict: Verdict,
    score: float,
    group: str,
    default_branch: str,
    policy: QuarantinePolicy,
    config: AnalysisConfig,
    now: datetime,
) -> Standing:
    """From a test's observations, oldest first, and its stored verdict.

    The confidence is what the run page would say of the test's newest failure: the odds that it was a flake.
    """
    counting = [seen for seen in history if seen.counts]
    recent = [seen for seen in counting if seen.run.executed_at >= now - policy.lookback]
    failing = [seen for seen in counting if seen.failed]
    confidence = 0.0
    if failing:
        newest = explain(failing[-1], history, group=group, default_branch=default_branch, config=config)
        confidence = newest.odds.known_flake
    return Standing(verdict, score, confidence, len(recent), sum(bool(seen.failed) for seen in recent))

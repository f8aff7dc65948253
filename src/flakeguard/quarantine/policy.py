"""The rules of quarantine, with their default values. Pure."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class QuarantinePolicy:
    """When a flaky test is proposed for quarantine, and how long a decision lasts.

    Attributes:
        warn_threshold: score (0 to 1) from which a flaky test is proposed.
        flaky_threshold: score from which it is quarantined without being proposed, where that is allowed.
        auto_quarantine_enabled: whether that is allowed.
        confidence_threshold: odds that a failure is a flake, below which nothing is proposed or offered.
        min_occurrences: runs within the lookback, below which nothing is proposed.
        min_recent_failures: runs within the lookback that failed, below which nothing is proposed.
        lookback_days: how far back these two look.
        quarantine_duration_days: how long a proposal, a quarantine and a dismissal last.
    """

    flaky_threshold: float = 0.6
    warn_threshold: float = 0.3
    min_occurrences: int = 5
    min_recent_failures: int = 2
    lookback_days: int = 7
    quarantine_duration_days: int = 30
    confidence_threshold: float = 0.7
    auto_quarantine_enabled: bool = False

    @property
    def lookback(self) -> timedelta:
        """`lookback_days` as a span."""
        return timedelta(days=self.lookback_days)

    @property
    def duration(self) -> timedelta:
        """`quarantine_duration_days` as a span."""
        return timedelta(days=self.quarantine_duration_days)


DEFAULT_POLICY = QuarantinePolicy()

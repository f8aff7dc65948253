"""Every number the analysis decides by, with its default, in one frozen value."""

from dataclasses import dataclass, field
from datetime import timedelta

_WEIGHT_TOLERANCE = 1e-9
_MAX_WINDOW = 1000


@dataclass(frozen=True, slots=True)
class ScoreWeights:
    """Shares of the four parts of the score; they sum to 1."""

    failure_rate: float = 0.4
    inconsistency: float = 0.3
    recency: float = 0.2
    branch_diversity: float = 0.1

    def __post_init__(self) -> None:
        parts = (self.failure_rate, self.inconsistency, self.recency, self.branch_diversity)
        if any(part < 0 for part in parts):
            raise ValueError("score weights must not be negative")
        if abs(sum(parts) - 1.0) > _WEIGHT_TOLERANCE:
            raise ValueError(f"score weights must sum to 1, not {sum(parts)}")


@dataclass(frozen=True, slots=True)
class PatternModel:
    """What the pattern model believes before it sees a test (docs/verdicts.md derives the numbers).

    Attributes:
        flaky_prior: share of tests that are flaky.
        regression_per_commit: chance that a commit of the default branch breaks a given test.
        regression_per_branch_commit: the same for a commit of any other branch, where work is unfinished.
        regression_length: mean length of a regression in commits (heavy-tailed).
        one_job_share: share of regressions that show in one job only.
        rate_alpha: first parameter of the Beta prior on a flaky test's failure rate.
        rate_beta: second parameter of it.
        outage_per_run: chance that a group of tests fails in a run for reasons outside the code.
        born_failing: chance that a test fails from the first run that is seen.
        retry_fails: chance that a retry of a flaky failure in the same run fails too.
    """

    flaky_prior: float = 0.04
    regression_per_commit: float = 0.001
    regression_per_branch_commit: float = 0.005
    regression_length: float = 8.0
    one_job_share: float = 0.05
    rate_alpha: float = 0.2
    rate_beta: float = 1.0
    outage_per_run: float = 0.01
    born_failing: float = 0.02
    retry_fails: float = 0.5

    def __post_init__(self) -> None:
        shares = (
            self.flaky_prior,
            self.regression_per_commit,
            self.regression_per_branch_commit,
            self.one_job_share,
            self.outage_per_run,
            self.born_failing,
            self.retry_fails,
        )
        if not all(0 < share < 1 for share in shares):
            raise ValueError("the pattern model's probabilities must lie between 0 and 1")
        if min(self.rate_alpha, self.rate_beta, self.regression_length) <= 0:
            raise ValueError("the parameters of a Beta prior and the length of a regression must be positive")


@dataclass(frozen=True, slots=True)
class AnalysisConfig:
    """Thresholds of score and verdict.

    Attributes:
        lookback_days: runs older than this (by their own time) are not looked at.
        window_size: newest runs kept for each test.
        min_runs: fewer runs than this prove nothing: `unproven`.
        flaky_threshold: score from which a test with enough runs is ranked as a suspect by the score alone.
        weights: the score's weights.
        pattern: priors of the pattern model.
        broken_commits: failing commits at the end of a branch, without a pass, that make `broken`.
        outage_min_tests: a run of fewer tests is never an outage.
        outage_share: a run in which more than this share of the tests failed is an outage.
        mass_min_failed: fewer failures in a group of tests than this are no mass failure by themselves.
        mass_share: share of a group that has to fail for a mass failure.
        mass_run_groups: mass failures in one run from which two failures are enough for a further group.
        shared_commits: commits on which a test fails in mass failures before that counts as its own habit.
        confidence: confidence of intervals and of recovery.
        broken_confidence: how improbable the test's own flakiness must make the failures at the end of a branch
            before a flaky test is called broken.
        recovering_confidence: how improbable passes must make the old rate before `flaky` turns `recovering`.
        suspected_threshold: probability from which a pattern makes `suspected`.
        answer_threshold: probability from which the run page commits to an answer.
        evidence_limit: pieces of evidence that a verdict carries, newest first.
    """

    lookback_days: int = 30
    window_size: int = 100
    min_runs: int = 5
    flaky_threshold: float = 0.1
    weights: ScoreWeights = field(default_factory=ScoreWeights)
    pattern: PatternModel = field(default_factory=PatternModel)
    broken_commits: int = 3
    outage_min_tests: int = 20
    outage_share: float = 0.8
    mass_min_failed: int = 3
    mass_share: float = 0.4
    mass_run_groups: int = 2
    shared_commits: int = 3
    confidence: float = 0.95
    broken_confidence: float = 0.99
    recovering_confidence: float = 0.95
    suspected_threshold: float = 0.8
    answer_threshold: float = 0.7
    evidence_limit: int = 10

    def __post_init__(self) -> None:
        counts = (
            self.lookback_days,
            self.window_size,
            self.min_runs,
            self.broken_commits,
            self.outage_min_tests,
            self.mass_min_failed,
            self.mass_run_groups,
            self.shared_commits,
            self.evidence_limit,
        )
        if any(count < 1 for count in counts):
            raise ValueError("days, sizes and counts of the analysis must be at least 1")
        if self.window_size > _MAX_WINDOW:
            raise ValueError(f"window_size must be at most {_MAX_WINDOW}, not {self.window_size}")
        shares = (self.flaky_threshold, self.outage_share, self.mass_share)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError("thresholds and shares of the analysis must lie between 0 and 1")
        levels = (
            self.confidence,
            self.broken_confidence,
            self.recovering_confidence,
            self.suspected_threshold,
            self.answer_threshold,
        )
        if not all(0.5 <= level < 1 for level in levels):  # noqa: PLR2004 - below a half nothing is confident
            raise ValueError("confidences of the analysis must be at least 0.5 and below 1")

    @property
    def lookback(self) -> timedelta:
        """The lookback as a duration."""
        return timedelta(days=self.lookback_days)


DEFAULT_CONFIG = AnalysisConfig()

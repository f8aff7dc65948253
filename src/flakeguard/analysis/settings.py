"""The analysis' thresholds, as the settings give them."""

from flakeguard.analysis.config import AnalysisConfig, ScoreWeights
from flakeguard.settings import FlakeGuardSettings


def analysis_config(settings: FlakeGuardSettings) -> AnalysisConfig:
    """Thresholds, window and weights by FG_LOOKBACK_DAYS, FG_WINDOW_SIZE, FG_MIN_RUNS, FG_FLAKY_THRESHOLD, FG_SCORE_WEIGHTS."""
    return AnalysisConfig(
        lookback_days=settings.lookback_days,
        window_size=settings.window_size,
        min_runs=settings.min_runs,
        flaky_threshold=settings.flaky_threshold,
        weights=ScoreWeights(*settings.score_weights),
    )

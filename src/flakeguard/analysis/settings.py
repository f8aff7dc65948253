"""The analysis' thresholds, as the settings give them."""

from flakeguard.analysis.config import AnalysisConfig, ScoreWeights
from flakeguard.settings import FlakeGuardSettings


def analysis_config(settings: FlakeGuardSettings) -> AnalysisConfig:
    """Thresholds, window and weights, as the FG_… variables of docs/configuration.md give them."""
    return AnalysisConfig(
        lookback_days=settings.lookback_days,
        window_size=settings.window_size,
        min_runs=settings.min_runs,
        flaky_threshold=settings.flaky_threshold,
        weights=ScoreWeights(*settings.score_weights),
    )

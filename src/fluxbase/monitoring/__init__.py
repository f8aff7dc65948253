"""Logs, metrics and health."""

from fluxbase.monitoring.exposition import exposition
from fluxbase.monitoring.logging import configure_logging
from fluxbase.monitoring.metrics import Metrics, metrics_of
from fluxbase.monitoring.routes import monitoring_router

__all__ = ["Metrics", "configure_logging", "exposition", "metrics_of", "monitoring_router"]

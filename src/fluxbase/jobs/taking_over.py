"""Workers that died, and what becomes of their jobs."""

import structlog

from fluxbase.db import Database
from fluxbase.jobs.repository import SQL
from fluxbase.monitoring.job_metrics import JobMetrics

logger = structlog.get_logger(__name__)


async def take_over(database: Database, dead_after_seconds: float, metrics: JobMetrics) -> None:
    """Declare those dead who were silent for so long. What they had claimed is begun again by others, or has failed."""
    async with database.transaction() as connection:
        for row in await connection.fetch(SQL["bury_workers"], dead_after_seconds):
            logger.warning("job worker is dead", worker=row["name"], worker_id=str(row["id"]))
        rows = await connection.fetch(SQL["take_over"])
    for row in rows:
        logger.warning("job taken over", job_id=str(row["id"]), function=row["name"], status=row["status"])
        if row["status"] == "failed":
            metrics.failed.labels(row["name"]).inc()

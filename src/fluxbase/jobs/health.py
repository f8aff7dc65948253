"""How the jobs are: for the health endpoint, the monitoring endpoint and operators."""

import time
from datetime import timedelta
from typing import Any

from fluxbase.db import OUTAGES, Connection
from fluxbase.durations import milliseconds_since
from fluxbase.jobs.model import JobsStats, JobStatus
from fluxbase.jobs.repository import SQL
from fluxbase.resources import Resources

# A job that is due and that nobody began with for so long: workers are too few, or stuck.
LATE_SECONDS = 300.0
# A worker that died alone is declared dead by nobody: its silence tells.
SILENT_FOR = timedelta(minutes=1)


async def jobs_stats(connection: Connection) -> JobsStats:
    """Queue depths by status, and the workers: those that live, and those that stopped within the hour."""
    rows = await connection.fetch(SQL["queue_depths"])
    workers = await connection.fetch(SQL["list_workers"])
    depths = {status.value: 0 for status in JobStatus} | {row["status"]: row["jobs"] for row in rows}
    return JobsStats(
        queue=depths,
        due=sum(row["due"] for row in rows),
        oldest_due_seconds=max((row["oldest_due_seconds"] for row in rows), default=0.0),
        workers=tuple(dict(row) for row in workers),
    )


async def jobs_health(resources: Resources, *, dead_after: timedelta = SILENT_FOR) -> dict[str, Any]:
    """`{status, message?, latency_ms}`: healthy, degraded (no worker, or jobs that wait too long) or unhealthy.

    `dead_after` is the workers' own: hearts that beat seldom are no silence.
    """
    silence = max(dead_after, SILENT_FOR)
    started = time.perf_counter()
    try:
        async with resources.database.transaction(timeout_seconds=2) as connection:
            row = await connection.fetchrow(SQL["health"], silence.total_seconds())
    except OUTAGES as error:
        return {"status": "unhealthy", "message": f"the database does not answer ({type(error).__name__})"}
    found = {"latency_ms": milliseconds_since(started)}
    if row is None or not row["active_workers"]:
        return {"status": "degraded", "message": "no worker is active"} | found
    if row["oldest_due_seconds"] > LATE_SECONDS:
        waited = round(row["oldest_due_seconds"])
        return {"status": "degraded", "message": f"{row['due']} jobs are due, one for {waited} seconds"} | found
    return {"status": "healthy"} | found

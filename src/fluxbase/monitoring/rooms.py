"""How each room is, and its numbers: gathered from what the rooms themselves say."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from redis.exceptions import RedisError

from fluxbase.durations import milliseconds_since
from fluxbase.jobs.health import jobs_health, jobs_stats
from fluxbase.monitoring.health import PATIENCE_SECONDS, database_answers, installed_version
from fluxbase.monitoring.metrics import metrics_of
from fluxbase.monitoring.stored import stored_of
from fluxbase.realtime.service import Realtime
from fluxbase.resources import Resources
from fluxbase.settings import Settings
from fluxbase.storage.access import blobs_of
from fluxbase.storage.health import storage_health

HEALTHY, DEGRADED, UNHEALTHY = "healthy", "degraded", "unhealthy"
type Health = Mapping[str, Any]
"""`{status, message?, latency_ms?}`."""


async def health(app: FastAPI) -> tuple[int, dict[str, Any]]:
    """Status code and body of `GET /api/v1/monitoring/health`; 503 while the database is gone."""
    names = list(_CHECKS)
    found = dict(zip(names, await asyncio.gather(*(_CHECKS[name](app) for name in names)), strict=True))
    if found["database"]["status"] != HEALTHY:
        status = UNHEALTHY
    else:
        status = HEALTHY if all(one["status"] == HEALTHY for one in found.values()) else DEGRADED
    return (503 if status == UNHEALTHY else 200), {"status": status, "services": found}


async def numbers(app: FastAPI) -> dict[str, Any]:
    """The body of `GET /api/v1/monitoring/metrics`. Realtime, memory and connections are this process's own.

    Raises:
        OSError, asyncpg.PostgresError: PostgreSQL cannot be reached.
    """
    resources: Resources = app.state.resources
    realtime: Realtime = app.state.realtime
    pool = resources.database.pool
    async with resources.database.transaction() as connection:
        jobs = await jobs_stats(connection)
    return {
        "version": installed_version(),
        "uptime_seconds": round(metrics_of(app).uptime_seconds, 1),
        "memory": {"rss_bytes": _resident_bytes()},
        "database": {
            "acquired_connections": pool.get_size() - pool.get_idle_size(),
            "idle_connections": pool.get_idle_size(),
            "max_connections": pool.get_max_size(),
            "waiting": resources.database.waiting,
        },
        "realtime": realtime.stats(),
        "storage": asdict(await stored_of(app).count()),
        "jobs": jobs.as_json(),
    }


def _resident_bytes() -> int | None:
    """Memory of this process; None where the kernel does not say."""
    if not sys.platform.startswith("linux"):
        return None
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _database(app: FastAPI) -> Health:
    started = time.perf_counter()
    if not await database_answers(app.state.resources):
        return {"status": UNHEALTHY, "message": "the database does not answer"}
    return {"status": HEALTHY, "latency_ms": milliseconds_since(started)}


async def _redis(app: FastAPI) -> Health:
    resources: Resources = app.state.resources
    started = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await resources.redis.get("health")
    except (RedisError, OSError, TimeoutError) as error:
        return {"status": UNHEALTHY, "message": f"Redis does not answer ({type(error).__name__}): limits are open"}
    return {"status": HEALTHY, "latency_ms": milliseconds_since(started)}


async def _realtime(app: FastAPI) -> Health:
    stats = app.state.realtime.stats()
    if not stats["listening"]:
        return {"status": DEGRADED, "message": "not listening for changes; it comes back by itself"}
    if not stats["other_processes_reachable"]:
        return {"status": DEGRADED, "message": "other processes cannot be reached; it comes back by itself"}
    return {"status": HEALTHY}


async def _storage(app: FastAPI) -> Health:
    found = await storage_health(blobs_of(app), patience_seconds=PATIENCE_SECONDS)
    told = {"message": found.message} if found.message else {}
    return {"status": HEALTHY if found.well else UNHEALTHY, **told, "latency_ms": found.latency_ms}


async def _jobs(app: FastAPI) -> Health:
    settings: Settings = app.state.settings
    return await jobs_health(app.state.resources, dead_after=settings.jobs_dead_after)


_CHECKS: Mapping[str, Callable[[FastAPI], Awaitable[Health]]] = {
    "database": _database,
    "redis": _redis,
    "realtime": _realtime,
    "storage": _storage,
    "jobs": _jobs,
}

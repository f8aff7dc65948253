"""The worker's health, in the shape of the worker document."""

import time
from datetime import UTC
from typing import Any

from redis.exceptions import RedisError

from flakeguard import __version__
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.queues import PREFIX, QUEUES, bullmq_name
from fluxbase.db import OUTAGES
from fluxbase.resources import Resources

_STARTED = time.monotonic()

type Check = dict[str, Any]


async def worker_health(resources: Resources, settings: FlakeGuardSettings) -> tuple[dict[str, Any], bool]:
    """The body of `GET /health`, and whether all is well. Times are milliseconds."""
    now = resources.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    checks = {
        "database": await _check_database(resources) | {"lastChecked": now},
        "redis": await _check_redis(resources) | {"details": {"cluster": False, "nodes": 1}},
    }
    queues = await _queues(resources) if checks["redis"]["status"] == "healthy" else []
    checks["queues"] = {
        "status": checks["redis"]["status"],
        "details": {
            f"total{state.title()}": sum(queue[state] for queue in queues) for state in ("waiting", "active", "failed")
        },
    }
    healthy = all(check["status"] == "healthy" for check in checks.values())
    body = {
        "status": "healthy" if healthy else "unhealthy",
        "timestamp": now,
        "uptime": round((time.monotonic() - _STARTED) * 1000),
        "version": __version__,
        "environment": "production" if settings.is_production else "development",
        "checks": checks,
        "queues": queues,
    }
    return body, healthy


async def _check_database(resources: Resources) -> Check:
    started = time.perf_counter()
    try:
        async with resources.database.transaction(timeout_seconds=2) as connection:
            await connection.execute("SELECT 1")
    except OUTAGES:
        return {"status": "unhealthy", "responseTime": _milliseconds(started)}
    return {"status": "healthy", "responseTime": _milliseconds(started)}


async def _check_redis(resources: Resources) -> Check:
    started = time.perf_counter()
    try:
        await resources.redis.ping()  # pyright: ignore[reportUnknownMemberType] -- **kwargs untyped
    except (RedisError, OSError):
        return {"status": "unhealthy", "responseTime": _milliseconds(started)}
    return {"status": "healthy", "responseTime": _milliseconds(started)}


async def _queues(resources: Resources) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for queue in QUEUES:
        key = f"{PREFIX}:{bullmq_name(queue)}"
        pipe: Any = resources.redis.pipeline(transaction=False)  # redis-py types a pipeline as its plain client
        pipe.llen(f"{key}:wait").llen(f"{key}:active").zcard(f"{key}:delayed").zcard(f"{key}:failed")
        waiting, active, delayed, failed = await pipe.execute()
        found.append({"name": queue, "waiting": waiting, "active": active, "delayed": delayed, "failed": failed})
    return found


def _milliseconds(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)

"""The worker's health, in the shape of the worker document."""

import asyncio
import time
from datetime import UTC
from typing import Any

from redis.exceptions import RedisError

from flakeguard import __version__
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.memory import memory_bytes
from flakeguard.worker.operating.inspecting import queue_counts
from flakeguard.worker.queues import PREFIX
from fluxbase.db import OUTAGES
from fluxbase.durations import milliseconds_since
from fluxbase.resources import Resources

_STARTED = time.monotonic()
_PATIENCE_SECONDS = 2.0
_WRITTEN, _FORGET_MS = f"{PREFIX}:flakeguard:written", 10_000

type Check = dict[str, Any]


async def worker_health(resources: Resources, settings: FlakeGuardSettings) -> tuple[dict[str, Any], bool]:
    """The body of `GET /health`, and whether all is well. Times are milliseconds."""
    now = resources.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    database, redis = await asyncio.gather(_check_database(resources), _check_redis(resources))
    redis["details"] = _topology(resources)
    queues = await _queues(resources) if redis["status"] == "healthy" else None
    checks = {"database": database, "redis": redis, "queues": _queues_check(queues), "memory": _memory_check()}
    for check in checks.values():
        check["lastChecked"] = now
    healthy = all(check["status"] == "healthy" for check in checks.values())
    body = {
        "status": "healthy" if healthy else "unhealthy",
        "timestamp": now,
        "uptime": round((time.monotonic() - _STARTED) * 1000),
        "version": __version__,
        "environment": "production" if settings.is_production else "development",
        "checks": checks,
        "queues": queues or [],
    }
    return body, healthy


async def is_ready(resources: Resources) -> bool:
    """Whether the worker can take jobs: both servers answer."""
    checks = await asyncio.gather(_check_database(resources), _check_redis(resources))
    return all(check["status"] == "healthy" for check in checks)


async def _check_database(resources: Resources) -> Check:
    started = time.perf_counter()
    try:
        async with (
            asyncio.timeout(_PATIENCE_SECONDS),
            resources.database.transaction(timeout_seconds=_PATIENCE_SECONDS) as connection,
        ):
            await connection.execute("SELECT 1")
    except (*OUTAGES, TimeoutError):
        return {"status": "unhealthy", "responseTime": milliseconds_since(started)}
    return {"status": "healthy", "responseTime": milliseconds_since(started)}


async def _check_redis(resources: Resources) -> Check:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await resources.redis.set(_WRITTEN, "1", px=_FORGET_MS)  # a full Redis answers a PING, and takes no job
    except (RedisError, OSError):
        return {"status": "unhealthy", "responseTime": milliseconds_since(started)}
    return {"status": "healthy", "responseTime": milliseconds_since(started)}


def _topology(resources: Resources) -> dict[str, Any]:
    nodes = getattr(resources.redis, "get_nodes", None)  # a cluster's client knows them
    return {"cluster": nodes is not None, "nodes": len(nodes()) if nodes else 1}


async def _queues(resources: Resources) -> list[dict[str, Any]] | None:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await queue_counts(resources.redis)
    except (RedisError, OSError):
        return None


def _queues_check(queues: list[dict[str, Any]] | None) -> Check:
    states = ("waiting", "active", "failed")
    totals = {f"total{state.title()}": sum(queue[state] for queue in queues or ()) for state in states}
    return {"status": "unhealthy" if queues is None else "healthy", "details": totals}


def _memory_check() -> Check:
    return {"status": "healthy", "details": memory_bytes()}

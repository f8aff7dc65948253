"""A worker that starts before its servers, or loses them, does its work when they are there."""

import asyncio
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from redis.exceptions import ConnectionError as RedisConnectionError

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.outbox import Relay
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Resources


async def test_a_duty_that_fails_is_taken_up_again(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis and PostgreSQL are away when the worker starts: its queues and its relay fail at first."""
    monkeypatch.setattr(runner, "_AGAIN_SECONDS", 0.01)
    tries: dict[str, int] = {}
    all_again = asyncio.Event()

    async def away_at_first(name: str) -> None:
        tries[name] = tries.get(name, 0) + 1
        if tries[name] == 1:
            raise RedisConnectionError("connection refused")
        if len(tries) == 5 and min(tries.values()) > 1:
            all_again.set()
        await asyncio.Event().wait()

    async def run(worker: Any) -> None:
        await away_at_first(worker.name)

    async def relay(_relay: Relay) -> None:
        await away_at_first("relay")

    monkeypatch.setattr(runner, "_run", run)
    monkeypatch.setattr(Relay, "run", relay)
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        async with asyncio.timeout(20):
            await all_again.wait()
    assert set(tries) == {"runs-ingest", "runs-analyze", "tests-recompute", "polling", "relay"}


def test_the_same_trouble_is_not_said_ten_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(runner.time, "monotonic", lambda: now)
    tell = runner._teller("polling")
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            tell(OSError("full"))
        tell(OSError("away"))
        now = runner._SAY_AGAIN_SECONDS
        tell(OSError("full"))
    assert [line["error"] for line in lines] == ["full", "away", "full"]

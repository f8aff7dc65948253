"""A worker that starts before its servers, or loses them, does its work when they are there."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from redis.exceptions import ConnectionError as RedisConnectionError

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.outbox import Relay
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Resources

from ..analysis.test_recompute import make_project


async def test_a_duty_that_fails_is_taken_up_again(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis and PostgreSQL are away when the worker starts: its queues, its relay, its ageing all fail at first."""
    monkeypatch.setattr(runner, "_AGAIN_SECONDS", 0.01)
    tries: dict[str, int] = {}
    all_again = asyncio.Event()

    async def away_at_first(name: str) -> None:
        tries[name] = tries.get(name, 0) + 1
        if tries[name] == 1:
            raise RedisConnectionError("connection refused")
        if len(tries) == 4 and min(tries.values()) > 1:
            all_again.set()
        await asyncio.Event().wait()

    async def run(worker: Any) -> None:
        await away_at_first(worker.name)

    async def relay(_relay: Relay) -> None:
        await away_at_first("relay")

    async def ageing(*_arguments: object) -> None:
        await away_at_first("ageing")

    monkeypatch.setattr(runner, "_run", run)
    monkeypatch.setattr(Relay, "run", relay)
    monkeypatch.setattr(runner, "_age_daily", ageing)
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        async with asyncio.timeout(20):
            await all_again.wait()
    assert set(tries) == {"runs-ingest", "runs-analyze", "relay", "ageing"}


async def test_projects_are_aged_once_a_day_by_one_worker(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when no worker was up at the hour: the next one begins with it."""
    keys = [await make_project(resources.database, slug) for slug in ("fresh", "missed", "long-ago")]
    async with resources.database.transaction() as connection:
        for key, days in zip(keys[1:], (1, 9), strict=True):
            await connection.execute(
                "UPDATE projects SET aged_at = now() - make_interval(days => $2) WHERE id = $1", key.project_id, days
            )
    aged: list[int] = []

    async def age(_resources: Resources, _config: object, project_id: int) -> None:
        aged.append(project_id)
        await asyncio.sleep(0)

    monkeypatch.setattr(runner, "_age", age)
    workers = (runner._age_what_is_due(resources, runner.AnalysisConfig()) for _ in range(3))
    await asyncio.gather(*workers)
    assert sorted(aged) == [key.project_id for key in keys[1:]]


async def test_a_project_that_cannot_be_aged_does_not_stop_the_others(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    aged: list[int] = []

    async def reanalyze(_database: object, project_id: int, **_named: object) -> int:
        if project_id == 1:
            raise TimeoutError
        aged.append(project_id)
        return 0

    monkeypatch.setattr(runner, "reanalyze_project", reanalyze)
    for project_id in (1, 2):
        await runner._age(resources, runner.AnalysisConfig(), project_id)
    assert aged == [2]

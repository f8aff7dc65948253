"""What is done by the clock: by Fluxbase's jobs, once across workers, made up for when it was missed."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from prometheus_client import CollectorRegistry

from flakeguard.analysis import ageing
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.schedules import AGEING, DELIVERIES, PARTITIONS, QUARANTINE, RETENTION, scheduled_functions
from fluxbase.jobs import running_jobs
from fluxbase.monitoring.job_metrics import JobMetrics
from fluxbase.resources import Resources
from fluxbase.settings import Environment

from ..analysis.test_recompute import make_project


async def test_what_was_missed_is_made_up_for_once_when_workers_start(
    resources: Resources, settings: FlakeGuardSettings
) -> None:
    """Two workers start after days without any: ageing, quarantine, partitions, retention, deliveries run once each."""
    registry = CollectorRegistry()
    async with running_jobs(resources, settings, scheduled_functions(settings)):
        pass  # a first start, so that the schedules are known
    async with resources.database.transaction() as connection:
        await connection.execute("DELETE FROM jobs.jobs")
        await connection.execute(
            "UPDATE jobs.schedules SET next_run_at = now() - interval '5 days' WHERE name LIKE 'flake%'"
        )
    async with AsyncExitStack() as workers:
        for name in ("one", "two"):
            metrics = JobMetrics(registry) if name == "one" else None
            functions = scheduled_functions(settings)
            await workers.enter_async_context(running_jobs(resources, settings, functions, metrics=metrics, name=name))
        runs = await _ended(resources)
    # A minute may turn while this runs, and retention is due each minute in development.
    assert runs.pop(RETENTION) in (1, 2)
    assert runs == {AGEING: 1, PARTITIONS: 1, DELIVERIES: 1, QUARANTINE: 1}


async def _ended(resources: Resources) -> dict[str, int]:
    async with asyncio.timeout(20):
        while True:
            async with resources.database.transaction() as connection:
                rows = await connection.fetch("SELECT name, status FROM jobs.jobs WHERE name LIKE 'flakeguard.%'")
            if len({row["name"] for row in rows}) == 5 and all(row["status"] == "completed" for row in rows):
                names = [row["name"] for row in rows]
                return {name: names.count(name) for name in names}
            await asyncio.sleep(0.02)


def test_retention_runs_at_three_in_production_and_every_minute_in_development(settings: FlakeGuardSettings) -> None:
    def cron(of: FlakeGuardSettings) -> str:
        return next(schedule.cron for schedule in scheduled_functions(of).schedules if schedule.name == RETENTION)

    assert cron(settings) == "* * * * *"
    assert cron(settings.model_copy(update={"environment": Environment.PROD})) == "0 3 * * *"


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

    async def reanalyze(_database: object, project_id: int, **_named: object) -> int:
        aged.append(project_id)
        await asyncio.sleep(0)
        return 0

    monkeypatch.setattr(ageing, "reanalyze_project", reanalyze)
    counts = await asyncio.gather(*(ageing.age_what_is_due(resources, AnalysisConfig()) for _ in range(3)))
    assert sorted(aged) == [key.project_id for key in keys[1:]]
    assert sum(counts) == 2


async def test_a_run_that_is_cut_short_leaves_its_project_to_the_next(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that has to go, or a server that does: nobody is left to say that the project was not aged."""
    project_id = (await make_project(resources.database, "long-ago")).project_id
    async with resources.database.transaction() as connection:
        await connection.execute("UPDATE projects SET aged_at = now() - interval '1 day'")
    aged: list[int] = []

    async def reanalyze(_database: object, project_id: int, **_named: object) -> int:
        aged.append(project_id)
        if len(aged) == 1:
            raise asyncio.CancelledError
        return 0

    monkeypatch.setattr(ageing, "reanalyze_project", reanalyze)
    with pytest.raises(asyncio.CancelledError):
        await ageing.age_what_is_due(resources, AnalysisConfig())
    assert await ageing.age_what_is_due(resources, AnalysisConfig()) == 1
    assert await ageing.age_what_is_due(resources, AnalysisConfig()) == 0
    assert aged == [project_id, project_id]


async def test_a_project_that_cannot_be_aged_does_not_stop_the_others(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, well = [(await make_project(resources.database, slug)).project_id for slug in ("broken", "well")]
    async with resources.database.transaction() as connection:
        await connection.execute("UPDATE projects SET aged_at = now() - interval '1 day'")
    aged: list[int] = []

    async def reanalyze(_database: object, project_id: int, **_named: object) -> int:
        if project_id == broken and not aged:
            raise TimeoutError
        aged.append(project_id)
        return 0

    monkeypatch.setattr(ageing, "reanalyze_project", reanalyze)
    with pytest.raises(ExceptionGroup, match="1 projects were not aged"):
        await ageing.age_what_is_due(resources, AnalysisConfig())
    assert aged == [well]
    assert await ageing.age_what_is_due(resources, AnalysisConfig()) == 1, "it did not have to wait for another day"
    assert aged == [well, broken]

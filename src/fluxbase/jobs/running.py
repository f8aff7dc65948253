"""Jobs running in a process: a worker, the house's own functions, the gauges."""

import importlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from fluxbase.errors import ConfigurationError
from fluxbase.jobs.cleaning import cleaning_functions
from fluxbase.jobs.functions import Functions
from fluxbase.jobs.repository import SQL
from fluxbase.jobs.worker import Timing, Worker
from fluxbase.monitoring.job_metrics import JobMetrics
from fluxbase.monitoring.metrics import metrics_of
from fluxbase.repeating import beside, repeat
from fluxbase.resources import Resources
from fluxbase.settings import Settings

_GAUGES_EVERY_SECONDS = 5.0


@asynccontextmanager
async def running_jobs(
    resources: Resources,
    settings: Settings,
    functions: Functions,
    *,
    metrics: JobMetrics | None = None,
    name: str | None = None,
) -> AsyncGenerator[None]:
    """Run jobs for as long as the block lasts; leaving it drains the worker.

    Args:
        resources: The worker uses a connection at a time, and one to listen; functions use as many as they like.
        settings: `jobs_…`.
        functions: What this worker runs. The house's own cleaning comes by itself.
        metrics: Where to count; nowhere when None.
        name: Of the worker; host and process id by default.
    """
    every = cleaning_functions(settings.jobs_retention)
    every.include(functions)
    counted = metrics or JobMetrics(CollectorRegistry())
    worker = Worker(
        resources,
        every,
        counted,
        name=name,
        concurrency=settings.jobs_max_concurrent_per_worker,
        timing=timing_of(settings),
    )
    async with gauges_kept(resources, counted, settings.jobs_dead_after), worker.running():
        yield


@asynccontextmanager
async def jobs_in_process(app: FastAPI) -> AsyncGenerator[None]:
    """A worker beside the routes of `app`, for the functions of `jobs_modules`; else only gauges."""
    settings: Settings = app.state.settings
    resources: Resources = app.state.resources
    metrics = metrics_of(app).jobs
    if not settings.jobs_in_process:
        async with gauges_kept(resources, metrics, settings.jobs_dead_after):
            yield
        return
    async with running_jobs(resources, settings, functions_of(settings.jobs_modules), metrics=metrics):
        yield


def timing_of(settings: Settings) -> Timing:
    """How the settings want a worker to keep time."""
    return Timing(
        heartbeat=settings.jobs_heartbeat_interval.total_seconds(),
        dead_after=settings.jobs_dead_after.total_seconds(),
        drain=settings.jobs_drain_timeout.total_seconds(),
    )


def functions_of(modules: Sequence[str]) -> Functions:
    """What these modules register in their `functions`.

    Raises:
        ConfigurationError: One cannot be imported, has no registry, or a name is taken; the text says which.
    """
    every = Functions()
    for name in modules:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            raise ConfigurationError(
                f"jobs.modules: {name} cannot be imported ({error}); is it on PYTHONPATH?"
            ) from error
        found = getattr(module, "functions", None)
        if not isinstance(found, Functions):
            raise ConfigurationError(f"jobs.modules: {name} has no `functions = fluxbase.jobs.Functions()`")
        try:
            every.include(found)
        except ValueError as error:
            raise ConfigurationError(f"jobs.modules: {name}: {error}") from error
    return every


@asynccontextmanager
async def gauges_kept(resources: Resources, metrics: JobMetrics, dead_after: timedelta) -> AsyncGenerator[None]:
    """Read the gauges of `metrics` every few seconds."""

    async def read() -> None:
        async with resources.database.transaction() as connection:
            row = await connection.fetchrow(SQL["gauges"], dead_after.total_seconds())
        if row is not None:
            metrics.pending.set(row["pending"])
            metrics.processing.set(row["processing"])
            metrics.workers.set(row["active_workers"])

    keeping = repeat("reading gauges", read, every_seconds=_GAUGES_EVERY_SECONDS)
    async with beside(keeping, name="job gauges"):
        yield

"""`fluxbase worker`: jobs alone, in the foreground."""

import asyncio
import signal
import sys
from typing import Annotated

import typer

from fluxbase.cli.output import say
from fluxbase.cli.starting import reached, settings_of
from fluxbase.jobs.running import functions_of, running_jobs
from fluxbase.resources import Addresses, open_resources
from fluxbase.serving import run
from fluxbase.settings import Settings


def worker(
    concurrency: Annotated[int | None, typer.Option(help="Jobs at once (jobs.max_concurrent_per_worker).")] = None,
    name: Annotated[str | None, typer.Option(help="What it calls itself; host and process id by default.")] = None,
) -> None:
    """Run jobs of the functions in jobs.modules until SIGTERM; jobs under way are finished or handed back."""
    settings = settings_of(jobs_max_concurrent_per_worker=concurrency)
    with reached(settings, quiet=False, logs_to=sys.stdout) as addresses:
        run(_work(settings, addresses, name))
    say("the worker has stopped")


async def _work(settings: Settings, addresses: Addresses, name: str | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # One to claim with, one for each job, one for the gauges.
    connections = max(settings.database_max_connections, settings.jobs_max_concurrent_per_worker + 2)
    async with (
        open_resources(addresses, application_name="fluxbase-worker", max_connections=connections) as resources,
        running_jobs(resources, settings, functions_of(settings.jobs_modules), name=name),
    ):
        say(f"the worker runs up to {settings.jobs_max_concurrent_per_worker} jobs at once")
        await stop.wait()

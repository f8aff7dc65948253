"""Feeds runs as a webhook does: the run is noted and `process-run` owed for it, in one transaction."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from flakeguard.github.facts import Run
from flakeguard.github.installations.repository import KnownRepository
from flakeguard.github.webhooks.owing import owe_run
from flakeguard.github.webhooks.repository import note_run, set_run_state
from flakeguard.loadtest.answers import INSTALLATION_ID, OWNER, repository_of, sha_of
from flakeguard.loadtest.model import Load
from fluxbase.db import load as load_queries
from fluxbase.resources import Resources

SQL = load_queries(__package__)
_FEEDERS = 2


async def make_repositories(resources: Resources, count: int, api_url: str) -> Sequence[KnownRepository]:
    """Repositories of one installation that an organisation is bound to, each with a project of its own."""
    async with resources.database.transaction() as connection:
        organization = await connection.fetchval(SQL["make_organization"])
        await connection.execute(SQL["make_installation"], INSTALLATION_ID, api_url, organization)
        for number in range(1, count + 1):
            await connection.execute(
                SQL["make_repository"], organization, repository_of(number), number, INSTALLATION_ID
            )
    return [
        KnownRepository(number, INSTALLATION_ID, f"{OWNER}/{repository_of(number)}", "main", True, None, None)  # noqa: FBT003
        for number in range(1, count + 1)
    ]


async def feed(
    resources: Resources, repositories: Sequence[KnownRepository], load: Load, owed: Callable[[int], object]
) -> None:
    """Feed the whole load, in the runs' order; `owed` hears of each run just before it is owed."""
    started, runs = time.monotonic(), iter(range(1, load.jobs + 1))

    async def one_after_another() -> None:
        for run in runs:
            if load.per_minute:
                await asyncio.sleep(started + 60 * (run - 1) / load.per_minute - time.monotonic())
            owed(run)
            await _owe(resources, repositories[run % len(repositories)], run)

    async with asyncio.TaskGroup() as feeders:
        for _ in range(_FEEDERS):
            feeders.create_task(one_after_another())


async def _owe(resources: Resources, repository: KnownRepository, number: int) -> None:
    run = Run(
        number, 1, sha_of(number), "main", "push", (), "CI", number, None, "completed", "success", datetime.now(UTC)
    )
    async with resources.database.transaction() as connection:
        await note_run(connection, repository.id, run)
        await set_run_state(connection, repository.id, run, "owed")
        await owe_run(connection, repository, run, priority="normal", cause=f"load-{number}")

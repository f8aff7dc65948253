"""Feeds runs: downloads each artifact over HTTP and has it accepted as an upload, which owes the work."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx

from flakeguard.ingestion.accepting import accept
from flakeguard.ingestion.meta import RunMeta
from flakeguard.ingestion.receiving import UploadLimits, UploadReceiver
from flakeguard.loadtest.model import Load
from flakeguard.projects.model import Project, ProjectKey
from fluxbase.db import load as load_queries
from fluxbase.resources import Resources

SQL = load_queries(__package__)
_LIMITS = UploadLimits(1, 2**30, 2**30)
_PART = b'--b\r\nContent-Disposition: form-data; name="junit"; filename="junit.zip"\r\n\r\n'
_FEEDERS = 4


async def make_project(resources: Resources) -> ProjectKey:
    """A project to load, with a key."""
    async with resources.database.transaction() as connection:
        organization = await connection.fetchval(SQL["make_organization"])
        row = (await connection.fetch(SQL["make_project"], organization))[0]
        key = await connection.fetchval(SQL["make_key"], row["id"])
    project = Project(row["id"], organization, "load", "Load", "load", "main", row["created_at"])
    return ProjectKey(key, "load", "fg_load", ("ingest:write",), project)


async def feed(resources: Resources, key: ProjectKey, address: str, load: Load, tell: Callable[[], object]) -> None:
    """Feed the whole load, a few runs at once; `tell` is called after each."""
    started, runs = time.monotonic(), iter(range(load.jobs))

    async def one_after_another(client: httpx.AsyncClient) -> None:
        for run in runs:
            if load.per_minute:
                await asyncio.sleep(started + 60 * run / load.per_minute - time.monotonic())
            await _deliver(resources, key, client, run)
            tell()

    async with httpx.AsyncClient(base_url=address, trust_env=False) as client, asyncio.TaskGroup() as feeders:
        for _ in range(_FEEDERS):
            feeders.create_task(one_after_another(client))


async def _deliver(resources: Resources, key: ProjectKey, client: httpx.AsyncClient, run: int) -> None:
    receiver = UploadReceiver(b"b", _LIMITS)
    try:
        receiver.feed(_PART)
        async with client.stream("GET", f"/artifacts/{run}.zip") as answer:
            async for chunk in answer.raise_for_status().aiter_raw():
                receiver.feed(chunk)
        receiver.feed(b"\r\n--b--\r\n")
        facts = {
            "sha": f"{run:040x}", "branch": "main", "provider": "github", "repo_full_name": "load/test",
            "github_run_id": run + 1, "started_at": datetime.now(UTC),
        }  # fmt: skip
        meta = RunMeta.model_validate(facts)
        await accept(resources.database, key, meta, receiver.finish(), correlation_id=f"load-{run}")
    finally:
        receiver.close()

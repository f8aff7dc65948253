"""A managed PostgreSQL: the owner is no superuser, and nobody may have BYPASSRLS. Policies let service_role in."""

import asyncio
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from flakeguard.analysis.analyzing import reanalyze_project
from flakeguard.analysis.settings import analysis_config
from flakeguard.settings import FlakeGuardSettings
from fluxbase.db.migrate import migrate
from fluxbase.db.roles import ensure_runtime_role
from fluxbase.embedded import EmbeddedServers, Home, join_servers
from fluxbase.resources import Addresses, Resources

from ..conftest import FASTER, SECRET
from .conftest import Tenant
from .uploads import FAIL, PASS, data, report, upload

pytestmark = pytest.mark.pg16

OWNER_PASSWORD = secrets.token_hex(8)


@pytest.fixture(scope="module")
def managed() -> Iterator[EmbeddedServers]:
    """Servers of their own (roles belong to a whole server), with an owner such as a provider's customer is."""
    folder = Path(tempfile.mkdtemp(prefix="flakeguard-managed-"))
    home = Home(folder / "home")
    archive = os.environ.get("FLAKEGUARD_TEST_POSTGRES")
    try:
        with join_servers(
            home, "postgres", archive=Path(archive) if archive else None, configuration=FASTER
        ) as running:
            asyncio.run(
                execute(
                    running.owner_dsn, f"CREATE ROLE customer LOGIN CREATEROLE CREATEDB PASSWORD '{OWNER_PASSWORD}'"
                )
            )
            yield running
    finally:
        home.remove_if_idle()
        shutil.rmtree(folder, ignore_errors=True)


async def execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
async def addresses(managed: EmbeddedServers) -> AsyncIterator[Addresses]:
    """A database that the customer made and migrated."""
    host = managed.owner_dsn.rpartition("@")[2].partition("/")[0]
    server = f"postgresql://customer:{OWNER_PASSWORD}@{host}"
    name = f"managed_{secrets.token_hex(4)}"
    await execute(f"{server}/postgres", f"CREATE DATABASE {name}")
    owner = f"{server}/{name}"
    await asyncio.to_thread(migrate, owner)
    runtime = await ensure_runtime_role(owner, SECRET)
    yield Addresses(owner_dsn=owner, runtime_dsn=runtime, redis_url=managed.redis_url, secret=SECRET)
    await execute(f"{server}/postgres", f"DROP DATABASE {name} WITH (FORCE)")


async def test_nobody_bypasses_row_level_security(resources: Resources) -> None:
    async with resources.database.transaction() as connection:
        assert await connection.fetchval("SELECT current_user") == "service_role"
        assert await connection.fetchval("SELECT row_security_active('flake_events')")
        privileged = await connection.fetch("SELECT rolname FROM pg_roles WHERE rolbypassrls AND NOT rolsuper")
        assert privileged == []


@pytest.mark.usefixtures("worker")
async def test_an_upload_becomes_verdicts_pages_show_it_and_deletion_leaves_nothing(
    client: httpx.AsyncClient, tenant: Tenant, stranger: Tenant, resources: Resources, settings: FlakeGuardSettings
) -> None:
    project = tenant.project.id
    for number in range(6):
        tests = {"steady": PASS, "flaky": [FAIL, PASS] if number % 2 else PASS, "broken": FAIL}
        receipt = data(
            await upload(client, tenant.as_key, report(tests), sha=f"{number:040x}", github_run_id=number + 1)
        )
        assert receipt["state"] == "analyzed", receipt
    assert receipt["verdicts"] == {"stable": 1, "flaky": 1, "broken": 1}
    data(await upload(client, stranger.as_key, report({"other": PASS}), sha="a" * 40))

    listing = data(await client.get(f"/api/v1/projects/{project}/flakes", headers=tenant.as_key), 200)
    assert {flake["name"]: flake["verdict"] for flake in listing["flakes"]} == {"flaky": "flaky", "broken": "broken"}
    test = listing["flakes"][0]["test_case_id"]
    run = receipt["run_id"]
    told = data(await client.get(f"/api/v1/projects/{project}/runs/{run}/explanation", headers=tenant.as_key), 200)
    assert {failure["name"]: failure["answer"] for failure in told["failures"]}["broken"] == "main_broken"
    for path in (
        "",
        "/runs",
        f"/runs/{run}",
        f"/flakes/{test}",
        "/uploads",
        "/settings",
        "/settings/keys",
        "/tests.csv",
    ):
        page = await client.get(f"/projects/{project}{path}", headers=tenant.as_browser)
        assert page.status_code == 200, path
    assert (await client.get(f"/projects/{project}", headers=stranger.as_browser)).status_code == 404

    config = analysis_config(settings)
    assert await reanalyze_project(resources.database, project, recompute=True, config=config, now=resources.now()) == 3

    address = f"/api/v1/projects/{project}?confirm={tenant.project.slug}"
    data(await client.delete(address, headers=tenant.as_user), 200)
    async with resources.database.transaction() as connection:
        for table in (
            "test_runs",
            "test_cases",
            "flake_events",
            "flake_stats",
            "failures",
            "junit_files",
            "ingestions",
        ):
            left = await connection.fetch(f"SELECT DISTINCT project_id FROM {table}")
            assert [row[0] for row in left] in ([stranger.project.id], []), table
        assert await connection.fetchval("SELECT count(*) FROM flake_events") == 1

    async with resources.database.transaction() as connection:  # what the worker does each day
        await connection.execute("SELECT flakeguard.ensure_event_partitions(5)")

"""Another default branch: what is known of every test is rebuilt, not only what is uploaded from then on."""

import asyncio

import httpx

from flakeguard.projects import projects
from fluxbase.resources import Resources

from ..conftest import Tenant
from ..uploads import FAIL, PASS, data, report, upload


async def test_another_default_branch_rebuilds_what_is_known(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, worker: None
) -> None:
    for branch, outcome in (("main", FAIL), ("trunk", PASS)):
        content = report({"t": outcome})
        data(await upload(client, tenant.as_key, content, branch=branch, sha=branch, github_run_id=branch))
    await projects.update(resources.database, tenant.user, tenant.project.id, name="Renamed")
    async with resources.database.transaction() as connection:
        assert not await connection.fetch("SELECT job_id FROM outbox"), "another name is no reason"
        on_main = await connection.fetchval("SELECT window_default FROM flake_stats")
    await projects.update(resources.database, tenant.user, tenant.project.id, default_branch="trunk")
    async with asyncio.timeout(20):
        while True:
            async with resources.database.transaction() as connection:
                if not await connection.fetchval("SELECT count(*) FROM outbox"):
                    break
            await asyncio.sleep(0.05)
    async with resources.database.transaction() as connection:
        on_trunk = await connection.fetchval("SELECT window_default FROM flake_stats")
        trunk = await connection.fetchval("SELECT id FROM test_runs WHERE branch = 'trunk'")
    assert on_trunk != on_main
    assert on_trunk[:4] == trunk.to_bytes(4, "little")
    assert len(on_trunk) == 6

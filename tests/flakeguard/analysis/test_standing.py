"""What API and page say of a test that only ever passes is what a whole recompute would say at this moment."""

from datetime import UTC, datetime

import asyncpg
import httpx
import pytest

from flakeguard.analysis.analyzing import reanalyze_project
from flakeguard.analysis.settings import analysis_config
from flakeguard.analysis.standing import standing_reason
from flakeguard.settings import FlakeGuardSettings
from fluxbase.resources import Resources

from ..conftest import Tenant
from ..uploads import FAIL, PASS, data, report, upload

type Owner = asyncpg.Connection[asyncpg.Record]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("runs", [3, 8])
async def test_what_is_said_of_a_passing_test_is_true_now(
    client: httpx.AsyncClient,
    tenant: Tenant,
    resources: Resources,
    settings: FlakeGuardSettings,
    owner: Owner,
    runs: int,
) -> None:
    base = f"/projects/{tenant.project.id}"
    for number in range(runs):
        branch = "feature" if number % 3 == 1 else "main"
        content = report({"a": PASS})
        data(
            await upload(
                client, tenant.as_key, content, sha=f"{number // 2:040x}", branch=branch, github_run_id=number + 1
            )
        )
    outage = {f"t{number}": FAIL for number in range(25)} | {"a": PASS}
    data(await upload(client, tenant.as_key, report(outage), sha="f" * 40, github_run_id=runs + 1))
    async with resources.database.transaction() as connection:
        test = await connection.fetchval("SELECT id FROM test_cases WHERE name = 'a'")

    async def said() -> tuple[dict, str]:
        api = data(await client.get(f"/api/v1{base}/flakes/{test}", headers=tenant.as_key), 200)
        page = await client.get(f"{base}/flakes/{test}", headers=tenant.as_browser)
        return api, page.text.partition('<p class="lead">')[2].partition("</p>")[0]

    api, reason = await said()
    # Only what differs is written: another verdict makes the recompute write all of it.
    await owner.execute("UPDATE flake_stats SET verdict = 'flaky', findings = '{}'")
    config = analysis_config(settings)
    await reanalyze_project(resources.database, tenant.project.id, recompute=True, config=config, now=resources.now())
    assert (api, reason) == await said()
    assert f" {runs} runs" in reason
    assert (api["reason"], api["counts"]["runs"], api["counts"]["outages"]) == (reason, runs, 1)


def test_what_was_found_of_any_other_test_stands() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    for verdict, failures, analyzed_at in (("recovering", 0, now), ("stable", 1, now), ("unproven", 0, None)):
        said = standing_reason("Found.", verdict=verdict, runs=9, failures=failures, analyzed_at=analyzed_at)
        assert said == "Found."

"""What owes a publication, and whose repository it may speak on."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from flakeguard.analysis.settings import analysis_config
from flakeguard.github.publishing.owing import owe_publication
from flakeguard.github.publishing.processing import Publishing, analyze_run
from flakeguard.github.publishing.settings import manner_of

from ...conftest import Tenant
from ...uploads import FAIL, PASS
from ..conftest import INSTALLATION, REPOSITORY, SHA
from .conftest import Place


async def owed(place: Place, ingestion_id: str) -> Any:
    async with place.resources.database.transaction() as connection:
        job_id = await owe_publication(connection, UUID(ingestion_id))
        return await connection.fetchrow("SELECT * FROM outbox WHERE job_id = $1", job_id)


async def test_a_plain_upload_owes_a_publication_where_its_organisation_is_bound(place: Place) -> None:
    row = await owed(place, await place.results({"a": FAIL}))
    assert (row["queue"], row["name"]) == ("runs:analyze", "analyze-run")
    assert row["data"]["headSha"] == SHA
    assert row["data"]["workflowRunId"] == 77
    assert row["data"]["repository"] == {
        "owner": "acme", "repo": "shop", "installationId": INSTALLATION, "repositoryId": REPOSITORY,
    }  # fmt: skip
    assert await owed(place, await place.results({"a": FAIL}, repo_full_name="acme/other", job_name="x")) is None
    assert await owed(place, await place.results({"a": FAIL}, sha="abc123", job_name="y")) is None


async def test_nobody_publishes_on_the_repository_of_another_organisation(place: Place, stranger: Tenant) -> None:
    claimed = replace(place, tenant=stranger)
    assert await owed(claimed, await claimed.results({"evil": FAIL})) is None
    await place.results({"a": PASS})
    await place.publish()
    assert place.check_run["conclusion"] == "success"
    assert "evil" not in place.check_run["output"]["summary"]


async def analyze(place: Place, data: dict, job_id: str = "analyze-run-1") -> Any:
    publishing = Publishing(place.api.poster_for, manner_of(place.settings))
    return await analyze_run(
        place.resources.database, publishing, "analyze-run", data,
        job_id=job_id, afresh=False, now=place.resources.now, config=analysis_config(place.settings),
    )  # fmt: skip


async def test_the_documents_job_finds_its_commit_and_judges_again(place: Place) -> None:
    ingestion_id = await place.results({"a": FAIL, "b": PASS})
    job = {"workflowRunId": 77, "repository": {"owner": "Acme", "repo": "shop", "installationId": INSTALLATION}}
    assert await analyze(place, job) == {"published": False, "reason": "no such run is known"}
    await place.owner.execute(
        "INSERT INTO github_runs (repository_id, workflow_run_id, head_sha) VALUES ($1, 77, $2)", REPOSITORY, SHA
    )
    await place.owner.execute("INSERT INTO github_run_ingestions VALUES ($1, 77, 1, $2)", REPOSITORY, ingestion_id)
    before = await place.owner.fetch("SELECT lifetime_runs, lifetime_failures FROM flake_stats ORDER BY 1, 2")
    said = await analyze(place, job | {"forceRecompute": True, "analysisConfig": {"lookbackDays": 7}})
    assert said == {"testsAnalyzed": 2, "conclusion": "neutral", "checkRunSent": True, "commentsSent": 0}
    assert await place.owner.fetch("SELECT lifetime_runs, lifetime_failures FROM flake_stats ORDER BY 1, 2") == before
    # Nothing has changed, and who asked for the check anew is answered all the same: GitHub took back its conclusion.
    assert (await analyze(place, job))["checkRunSent"] is False
    assert (await analyze(place, job | {"forceRecompute": True}))["checkRunSent"] is True
    assert len(place.shop.check_runs) == 1
    # It was renamed while the job waited: GitHub's id outlives that.
    place.shop.full_name = "acme/store"
    await place.owner.execute("UPDATE github_repositories SET full_name = 'acme/store'")
    assert (await analyze(place, job))["published"] is False
    by_id = job | {"repository": {**job["repository"], "repositoryId": REPOSITORY}}
    assert (await analyze(place, by_id))["conclusion"] == "neutral"
    # A run that came as an artifact is of the commit that GitHub names, whatever its results say.
    assert (await owed(place, ingestion_id))["data"]["headSha"] == SHA


async def test_what_is_owed_is_settled_once_it_is_said(place: Place) -> None:
    row = await owed(place, await place.results({"a": FAIL}))
    await analyze(place, row["data"], row["job_id"])
    assert place.check_run["head_sha"] == SHA
    assert await place.owner.fetchval("SELECT count(*) FROM outbox") == 0

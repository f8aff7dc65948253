"""From a POST to verdicts: the whole path, on real servers."""

import asyncio
import gzip
import threading
import zipfile
from io import BytesIO

import httpx
import pytest

from flakeguard.ingestion import processing
from flakeguard.reports.archives import ArchiveLimits
from flakeguard.settings import FlakeGuardSettings
from fluxbase.resources import Resources

from ..conftest import Tenant
from ..uploads import ERROR, FAIL, PASS, SKIP, data, error_code, report, upload

pytestmark = [pytest.mark.usefixtures("worker"), pytest.mark.pg16]


async def test_an_upload_becomes_attempts_and_verdicts(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    content = report({"pays": PASS, "adds": [FAIL, PASS], "fails": ERROR, "later": SKIP})
    receipt = data(await upload(client, tenant.as_key, content))
    assert receipt["state"] == "analyzed"
    assert receipt["stored"] == {"junit_files": 1, "test_results": 5}
    assert receipt["flake_events_created"] == 1
    assert receipt["verdicts"] == {"flaky": 1, "unproven": 3}
    assert receipt["dashboard_url"].endswith(f"/projects/{tenant.project.id}/runs/{receipt['run_id']}")

    listing = await client.get(f"/api/v1/projects/{tenant.project.id}/flakes", headers=tenant.as_user)
    verdicts = {flake["name"]: flake["verdict"] for flake in data(listing, 200)["flakes"]}
    assert verdicts["adds"] == "flaky"
    assert "pays" not in verdicts
    async with resources.database.transaction() as connection:
        run = await connection.fetchrow("SELECT tests, failed, skipped, flaked, outage FROM test_runs")
        assert tuple(run) == (3, 1, 1, 1, False)
        assert await connection.fetchval("SELECT count(*) FROM flake_events") == 5
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
        lifetime = await connection.fetchrow(
            "SELECT lifetime_runs, lifetime_failures, lifetime_flakes FROM flake_stats s"
            " JOIN test_cases c ON c.id = s.test_case_id WHERE c.name = 'adds'"
        )
        assert tuple(lifetime) == (1, 1, 1)


async def test_without_waiting_the_counts_are_not_known_yet(client: httpx.AsyncClient, tenant: Tenant) -> None:
    receipt = data(await upload(client, tenant.as_key, report({"a": PASS}), wait=0))
    assert receipt["stored"] == {"junit_files": 1, "test_results": None}
    assert receipt["flake_events_created"] is None
    later = await client.get(
        f"/api/v1/ingestions/{receipt['ingestion_id']}", params={"wait": 20}, headers=tenant.as_key
    )
    assert data(later, 200)["stored"]["test_results"] == 1
    assert data(later, 200)["files"][0]["format"] == "junit"


async def test_the_same_upload_again_changes_nothing(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    first = data(await upload(client, tenant.as_key, report({"a": FAIL}), github_run_id=7))
    again = data(await upload(client, tenant.as_key, report({"a": FAIL}), github_run_id=7))
    packed = data(await upload(client, tenant.as_key, gzip.compress(report({"a": FAIL})), github_run_id=7))
    assert first["ingestion_id"] == again["ingestion_id"] == packed["ingestion_id"]
    async with resources.database.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM flake_events") == 1


async def test_a_report_counts_once_in_a_run_however_it_came(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    one, two = report({"a": FAIL}), report({"b": PASS})
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("reports/one.xml", one)
        writer.writestr("reports/two.xml", two)
        writer.writestr("reports/pom.xml", "<project/>")
    data(await upload(client, tenant.as_key, one, github_run_id=8))
    receipt = data(await upload(client, tenant.as_key, archive.getvalue(), github_run_id=8))
    assert any("already" in warning for warning in receipt["warnings"])
    assert any("pom.xml" in warning for warning in receipt["warnings"])
    async with resources.database.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM flake_events") == 2
        assert await connection.fetchval("SELECT count(*) FROM test_runs") == 1


def zipped(*contents: bytes) -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for number, content in enumerate(contents):
            writer.writestr(f"report-{number}.xml", content)
    return archive.getvalue()


async def test_without_a_run_id_the_same_reports_are_the_same_run_however_they_are_packed(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    one, two = report({"a": FAIL}), report({"b": PASS})
    packed = [(one, two), (gzip.compress(two), one), (zipped(two, one),), (zipped(one), two), (one, zipped(one, two))]
    runs = {data(await upload(client, tenant.as_key, *files))["run_id"] for files in packed}
    assert len(runs) == 1
    assert data(await upload(client, tenant.as_key, one))["run_id"] not in runs
    async with resources.database.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM flake_events") == 3


async def test_the_worker_goes_on_while_a_large_archive_is_unpacked_to_be_told_apart(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its locks on other jobs run out, and its health does not answer."""
    digests, loop = processing._member_digests, asyncio.get_running_loop()

    def unpacked_at_leisure(content: bytes, name: str, limits: ArchiveLimits) -> set[bytes]:
        others = threading.Event()
        loop.call_soon_threadsafe(others.set)
        assert others.wait(3), "nothing else had its turn"
        return digests(content, name, limits)

    monkeypatch.setattr(processing, "_member_digests", unpacked_at_leisure)
    assert data(await upload(client, tenant.as_key, zipped(report({"a": PASS}))))["state"] == "analyzed"


async def test_retries_in_files_of_their_own_stand_in_the_order_of_their_time(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    def at(minute: int, content: bytes) -> bytes:
        return content.replace(b"<testsuite ", b"<testsuite timestamp='2026-03-01T10:%02d:00' " % minute)

    names = [f"t{number}" for number in range(5)]
    early = [at(0, report({name: FAIL})) for name in names]
    late = [at(5, report({name: PASS})) for name in names]
    data(await upload(client, tenant.as_key, *late, github_run_id=1))
    data(await upload(client, tenant.as_key, *early, github_run_id=1))
    async with resources.database.transaction() as connection:
        rows = await connection.fetch(
            "SELECT array_agg(outcome ORDER BY report_key, position) FROM flake_events GROUP BY test_case_id"
        )
    assert [row[0] for row in rows] == [[1, 0]] * len(names)


async def test_a_rerun_of_a_commit_that_disagrees_is_evidence(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for attempt, outcome in enumerate((FAIL, PASS), start=1):
        await upload(client, tenant.as_key, report({"a": outcome}), github_run_id=9, github_run_attempt=attempt)
    listing = await client.get(f"/api/v1/projects/{tenant.project.id}/flakes", headers=tenant.as_key)
    (flake,) = data(listing, 200)["flakes"]
    assert flake["verdict"] == "flaky"
    one = await client.get(
        f"/api/v1/projects/{tenant.project.id}/flakes/{flake['test_case_id']}", headers=tenant.as_key
    )
    (evidence,) = data(one, 200)["evidence"]
    assert evidence["kind"] == "rerun"
    assert set(data(one, 200)["runs"]) == {str(ref[0]) for ref in (*evidence["failed"], *evidence["passed"])}


async def test_files_that_are_no_reports_are_told_and_the_rest_is_kept(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    files = [report({"a": PASS}), b"", b"<project/>", report({"b": PASS, "c": PASS})[:-60], b"\x1f\x8bnot gzip"]
    receipt = data(await upload(client, tenant.as_key, *files))
    assert receipt["stored"]["junit_files"] == 5
    assert receipt["stored"]["test_results"] >= 2
    told = await client.get(f"/api/v1/ingestions/{receipt['ingestion_id']}", headers=tenant.as_key)
    by_name = {file["filename"]: file for file in data(told, 200)["files"]}
    assert by_name["report-0.xml"]["error"] is None
    assert all(by_name[f"report-{number}.xml"]["error"] for number in (1, 2, 4))
    assert by_name["report-3.xml"]["warnings"]
    assert by_name["report-2.xml"]["error"].startswith("no JUnit report"), "the file is named beside its error"


async def test_refusals_are_named(client: httpx.AsyncClient, tenant: Tenant, stranger: Tenant) -> None:
    good = report({"a": PASS})
    assert error_code(await upload(client, tenant.as_key, b"<project/>", b""), 400) == "invalid_junit_xml"
    assert error_code(await upload(client, tenant.as_key), 400) == "invalid_junit_xml"
    assert error_code(await upload(client, tenant.as_key, good, sha=""), 400) == "invalid_meta"
    assert error_code(await upload(client, tenant.as_key, good, started_at="yesterday"), 400) == "invalid_meta"
    other = stranger.project.slug
    assert error_code(await upload(client, tenant.as_key, good, project_slug=other), 400) == "invalid_meta"
    assert error_code(await upload(client, tenant.as_key, *[good] * 21), 400) == "too_many_files"
    assert error_code(await upload(client, {"Authorization": "Bearer fg_no_such"}, good), 401) == "invalid_api_key"
    assert error_code(await upload(client, {}, good), 401) == "invalid_api_key"


async def test_an_empty_report_is_called_empty(client: httpx.AsyncClient, tenant: Tenant) -> None:
    refused = await upload(client, tenant.as_key, b"")
    assert error_code(refused, 400) == "invalid_junit_xml"
    assert "every file of the upload is empty (report-0.xml)" in refused.json()["error"]["message"]


async def test_another_tenant_sees_nothing_of_it(client: httpx.AsyncClient, tenant: Tenant, stranger: Tenant) -> None:
    receipt = data(await upload(client, tenant.as_key, report({"a": [FAIL, PASS]})))
    for headers in (stranger.as_key, stranger.as_user):
        for path in (
            f"/api/v1/ingestions/{receipt['ingestion_id']}",
            f"/api/v1/projects/{tenant.project.id}/flakes",
            f"/api/v1/projects/{tenant.project.id}/flakes/1",
            f"/api/v1/projects/{tenant.project.id}/runs/{receipt['run_id']}/explanation",
            f"/api/v1/projects/{stranger.project.id}/runs/{receipt['run_id']}/explanation",
        ):
            assert (await client.get(path, headers=headers)).status_code in (401, 403, 404), path


async def test_too_many_uploads_are_told_when_to_come_back(
    client: httpx.AsyncClient, tenant: Tenant, app, settings: FlakeGuardSettings
) -> None:
    app.state.settings = settings.model_copy(update={"rate_limit_rpm": 2})
    answers = [await upload(client, tenant.as_key, report({f"t{n}": PASS}), wait=0) for n in range(3)]
    assert error_code(answers[-1], 429) == "rate_limit_exceeded"
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_shards_of_one_run_arrive_together_and_judge_the_whole_run(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources
) -> None:
    """An outage is a matter of the whole run: a later shard changes the judgement of the earlier ones' tests."""
    shards = [report({f"t{n}": FAIL for n in range(at, at + 10)}) for at in range(0, 30, 10)]
    await asyncio.gather(*(upload(client, tenant.as_key, shard, github_run_id=11) for shard in shards))
    async with resources.database.transaction() as connection:
        assert await connection.fetchval("SELECT outage FROM test_runs")
        assert await connection.fetchval("SELECT max(failures) FROM flake_stats") == 0
    await upload(client, tenant.as_key, report({f"p{n}": PASS for n in range(40)}), github_run_id=11)
    async with resources.database.transaction() as connection:
        assert not await connection.fetchval("SELECT outage FROM test_runs")
        counted = await connection.fetch("SELECT runs, failures FROM flake_stats WHERE last_failed_at IS NOT NULL")
        assert {tuple(row) for row in counted} == {(1, 1)}


async def test_explanation_of_a_run(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for number in range(1, 7):
        tests = {"solid": PASS, "shaky": [FAIL, PASS] if number % 2 else PASS}
        await upload(client, tenant.as_key, report(tests), sha=f"{number:040x}", github_run_id=number)
    receipt = data(
        await upload(
            client,
            tenant.as_key,
            report({"solid": FAIL, "shaky": FAIL}),
            sha="f" * 40,
            branch="feature",
            github_run_id=99,
        )
    )
    path = f"/api/v1/projects/{tenant.project.id}/runs/{receipt['run_id']}/explanation"
    told = data(await client.get(path, headers=tenant.as_key), 200)
    answers = {failure["name"]: failure["answer"] for failure in told["failures"]}
    assert answers == {"solid": "yours", "shaky": "known_flake"}
    newest = await client.get(
        f"/api/v1/projects/{tenant.project.id}/explanation", params={"sha": "fff"}, headers=tenant.as_key
    )
    assert data(newest, 200)["run_id"] == receipt["run_id"]


async def test_without_a_base_nobody_is_accused(client: httpx.AsyncClient, tenant: Tenant) -> None:
    """The first run ever: a failure cannot be told from one that main has too. A test that main lacks is new here."""

    async def answer_for(receipt: dict) -> dict[str, str]:
        path = f"/api/v1/projects/{tenant.project.id}/runs/{receipt['run_id']}/explanation"
        told = data(await client.get(path, headers=tenant.as_key), 200)
        return {failure["name"]: failure["answer"] for failure in told["failures"]}

    first = data(await upload(client, tenant.as_key, report({"a": FAIL}), branch="feature", github_run_id=1))
    assert await answer_for(first) == {"a": "cannot_tell"}
    await upload(client, tenant.as_key, report({"b": PASS}), sha="1" * 40, github_run_id=2)
    later = data(
        await upload(client, tenant.as_key, report({"c": FAIL}), sha="2" * 40, branch="feature", github_run_id=3)
    )
    assert await answer_for(later) == {"c": "yours"}

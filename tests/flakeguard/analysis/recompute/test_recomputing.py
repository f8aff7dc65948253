"""A recomputation by jobs says what the incremental way says, for the tests that its scope names, once."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.recompute.recomputing import RecomputeBatchJobData, begin, recompute_batch
from flakeguard.analysis.recompute.scopes import MOST_PATTERNS, UnusableScopeError, batch_size, condition, like
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.errors import InvalidJobError
from flakeguard.worker.jobs import TestsRecomputeJobData
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.outbox import owe
from flakeguard.worker.runner import running_worker
from fluxbase.db import Claims
from fluxbase.resources import Resources

from ...conftest import Tenant
from ...uploads import FAIL, PASS, data, report, upload

NOW = datetime(2026, 11, 25, tzinfo=UTC)
_VERDICTS = (
    "SELECT c.name, s.window_all, s.window_default, s.verdict, s.score FROM flake_stats s"
    " JOIN test_cases c ON c.id = s.test_case_id ORDER BY c.name"
)


def wanted(kind: str = "all", *patterns: str, **options: Any) -> dict[str, Any]:
    scope = {"type": kind, "patterns": list(patterns)}
    return {"repository": {"owner": "acme", "repo": "shop"}, "recomputeScope": scope, "options": options}


def of(document: dict[str, Any]) -> TestsRecomputeJobData:
    return TestsRecomputeJobData.of("recompute", document)


async def some_history(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for run in range(6):
        content = report({"pays": PASS, "adds": [FAIL, PASS] if run % 2 else PASS, "100%_off": PASS})
        receipt = await upload(
            client, tenant.as_key, content, github_run_id=run + 1, repo_full_name="acme/shop", sha=f"{run:040x}"
        )
        assert data(receipt)["state"] == "analyzed"


async def finished(resources: Resources, number: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        while True:
            async with resources.database.transaction() as connection:
                rows = await connection.fetch("SELECT * FROM recomputations ORDER BY id")
            if sum(row["finished_at"] is not None for row in rows) == number:
                return [dict(row) for row in rows]
            await asyncio.sleep(0.05)


async def test_batches_give_what_the_incremental_way_gave(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings
) -> None:
    registry = CollectorRegistry()
    async with running_worker(resources, settings, WorkerMetrics(registry)):
        await some_history(client, tenant)
        async with resources.database.transaction() as connection:
            before = [tuple(row) for row in await connection.fetch(_VERDICTS)]
            await connection.execute(
                "UPDATE flake_stats SET window_all = '', window_default = NULL, verdict = 'stable', score = 0"
            )
            await owe(
                connection, queue="tests:recompute", name="recompute", job_id="again",
                data=wanted(batchSize=2, updateQuarantineStatus=True), correlation_id="because",
            )  # fmt: skip
        (row,) = await finished(resources, 1)
        async with resources.database.transaction() as connection:
            assert [tuple(row) for row in await connection.fetch(_VERDICTS)] == before
            assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
            proposed = await connection.fetch(
                "SELECT c.name, q.state FROM quarantine_decisions q JOIN test_cases c ON c.id = q.test_case_id"
            )
            assert [tuple(one) for one in proposed] == [("adds", "PROPOSED")]
        async with resources.database.transaction(Claims("authenticated", str(tenant.user.id))) as connection:
            assert await connection.fetchval("SELECT count(*) FROM recomputations") == 1
    assert (row["tests"], row["tests_done"], row["batches"], row["batches_done"]) == (3, 3, 2, 2)
    counted = ("proposed", "activated", "expired", "resolved")
    assert [row[f"quarantine_{name}"] for name in counted] == [1, 0, 0, 0]
    assert {name: verdict for name, _, _, verdict, _ in before}["adds"] == "flaky"
    sample = registry.get_sample_value
    assert sample("flakeguard_worker_tests_analyzed_total") == 6 * 3 + 3
    assert sample("flakeguard_worker_flaky_tests_detected_total") == 2  # by the second run, and again when recomputed
    assert sample("flakeguard_worker_flakiness_score_count") == 21


@pytest.mark.usefixtures("worker")
async def test_scopes_choose_tests_and_a_batch_counts_once(
    client: httpx.AsyncClient, tenant: Tenant, stranger: Tenant, resources: Resources
) -> None:
    await some_history(client, tenant)
    async with resources.database.transaction() as connection:
        ids = dict(await connection.fetch("SELECT name, id FROM test_cases"))
    database = resources.database
    for number, (document, tests) in enumerate(
        [
            (wanted(), 3),
            (wanted("test_pattern", "pay*"), 1),
            (wanted("test_pattern", "100%_*"), 1),
            (wanted("test_pattern", "*%*s*"), 0),
            (wanted("class_pattern", "tests.C?rt"), 3),
            (wanted("specific_tests", str(ids["pays"]), "tests.Cart.adds"), 2),
        ]
    ):
        told = await begin(database, of(document), job_id=f"job-{number}", now=NOW)
        assert told["tests"] == tests, document
    await finished(resources, 6)
    async with resources.database.transaction() as connection:  # none of them was asked to update it
        assert await connection.fetchval("SELECT count(*) FROM quarantine_decisions") == 0
    batch = RecomputeBatchJobData(recomputation_id=1, project_id=stranger.project.id, test_ids=tuple(ids.values()))
    assert await recompute_batch(
        database, batch, job_id="never-owed", config=AnalysisConfig(), now=NOW, tell=lambda _judged: None
    ) is None  # fmt: skip


async def test_a_job_that_runs_twice_owes_its_batches_once(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings
) -> None:
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        await some_history(client, tenant)
    for _ in range(2):
        await begin(resources.database, of(wanted(batchSize=1)), job_id="once", now=NOW)
    async with resources.database.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox WHERE name = 'recompute-batch'") == 3
        assert await connection.fetchval("SELECT count(*) FROM recomputations") == 1


async def test_an_unknown_repository_is_said(resources: Resources) -> None:
    with pytest.raises(InvalidJobError, match="no project has results of acme/shop"):
        await begin(resources.database, of(wanted()), job_id="x", now=NOW)


@pytest.mark.parametrize(
    ("kind", "patterns"),
    [
        ("all", ["x"]), ("test_pattern", []), ("class_pattern", [""]), ("specific_tests", ["x"] * (MOST_PATTERNS + 1)),
        ("test_pattern", ["a\0"]),
    ],
)  # fmt: skip
def test_scopes_that_cannot_be_used(kind: Any, patterns: list[str]) -> None:
    with pytest.raises(UnusableScopeError):
        condition(kind, patterns, None, NOW)


def test_globs_as_like_patterns() -> None:
    assert like("a*b?c%_\\") == "a%b_c\\%\\_\\\\"
    assert batch_size(None) == 250
    assert batch_size(10**9) == 5_000
    assert condition("all", [], 10**9, NOW).seen_since is None

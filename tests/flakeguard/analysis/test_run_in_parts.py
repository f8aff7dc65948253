"""A run that arrives in several uploads, of which some are stored before the others are analysed."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import UUID

from flakeguard.analysis.analyzing import analyze_ingestion, reanalyze_project
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.explanation import explain_run
from flakeguard.analysis.repository import SQL
from flakeguard.ingestion.accepting import accept
from flakeguard.ingestion.meta import RunMeta
from flakeguard.ingestion.processing import process_upload
from flakeguard.ingestion.receiving import UploadLimits, UploadReceiver
from flakeguard.projects.model import ProjectKey
from fluxbase.db import Database
from fluxbase.resources import Resources

from ..uploads import FAIL, PASS, report
from .test_recompute import PART, make_project

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
META = RunMeta(sha="abcdef0", branch="main", github_run_id="1", started_at=NOW - timedelta(hours=1))
CONFIG = AnalysisConfig(outage_min_tests=4)


async def stored(database: Database, key: ProjectKey, content: bytes, meta: RunMeta = META) -> UUID:
    with closing(UploadReceiver(b"b", UploadLimits(20, 10**7, 10**7))) as receiver:
        receiver.feed(PART + content + b"\r\n--b--\r\n")
        ingestion = await accept(database, key, meta, receiver.finish(), correlation_id="test")
    await process_upload(database, ingestion, job_id=f"upload-{ingestion}", now=lambda: NOW)
    return ingestion


async def analyzed(database: Database, ingestion: UUID) -> None:
    await analyze_ingestion(database, ingestion, job_id=f"analyze-{ingestion}", config=CONFIG, now=lambda: NOW)


async def test_lifetime_counters_count_a_run_once_whatever_is_analysed_first(resources: Resources) -> None:
    key = await make_project(resources.database, "parts")
    parts = [await stored(resources.database, key, report({"t": outcome, "u": PASS})) for outcome in (FAIL, PASS)]
    for part in parts:
        await analyzed(resources.database, part)
    async with resources.database.transaction() as connection:
        rows = await connection.fetch(
            "SELECT c.name, lifetime_runs, lifetime_failures, lifetime_flakes"
            " FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id ORDER BY c.name"
        )
    assert [tuple(row) for row in rows] == [("t", 1, 1, 1), ("u", 1, 0, 0)]


async def test_runs_that_were_deleted_since_are_forgotten(resources: Resources) -> None:
    """An operator deleted a run; the windows still name it. What comes after must be analysed all the same."""
    key = await make_project(resources.database, "gone")
    for number, branch in enumerate(("main", "feature", "main", "feature")):
        meta = META.model_copy(update={"github_run_id": str(number), "branch": branch})
        await analyzed(resources.database, await stored(resources.database, key, report({"t": FAIL}), meta))
        if number == 1:
            async with resources.database.transaction() as connection:
                await connection.execute("DELETE FROM test_runs")
    await reanalyze_project(resources.database, key.project_id, recompute=False, config=CONFIG, now=NOW)
    async with resources.database.transaction() as connection:
        run_id = await connection.fetchval("SELECT max(id) FROM test_runs")
        assert (await explain_run(connection, key.project_id, run_id, config=CONFIG)).failures_total == 1
        assert await connection.fetchval("SELECT runs FROM flake_stats") == 2


async def test_what_another_analysis_of_the_run_decided_is_seen(resources: Resources) -> None:
    """It took the run for an outage while this one waited for its turn; now all tests of the run are judged again."""
    key = await make_project(resources.database, "turns")
    await stored(resources.database, key, report({f"bad{number}": FAIL for number in range(4)}))
    second = await stored(resources.database, key, report({f"good{number}": PASS for number in range(12)}))
    async with resources.database.transaction() as other:
        await other.execute(SQL["lock_project"], key.project_id)
        analysis = asyncio.create_task(analyzed(resources.database, second))
        async with asyncio.timeout(20):
            waiting = (
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            while not await other.fetchval(waiting):  # noqa: ASYNC110 -- the lock is in the database
                await asyncio.sleep(0.01)
        await other.execute("UPDATE test_runs SET outage = true")
    await analysis
    async with resources.database.transaction() as connection:
        assert await connection.fetchval("SELECT outage FROM test_runs") is False
        assert await connection.fetchval("SELECT count(*) FROM flake_stats WHERE runs = 1") == 16

"""The incremental path and the recomputation say the same, in whatever order uploads arrive."""

import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flakeguard.analysis.analyzing import analyze_ingestion, reanalyze_project
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.ingestion.accepting import accept
from flakeguard.ingestion.meta import RunMeta
from flakeguard.ingestion.processing import process_upload
from flakeguard.ingestion.receiving import UploadLimits, UploadReceiver
from flakeguard.projects.model import Project, ProjectKey
from fluxbase.db import Database
from fluxbase.resources import Resources

from ..uploads import FAIL, PASS, SKIP, report

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
CONFIG = AnalysisConfig(window_size=12, outage_min_tests=4)
TESTS = [f"t{number}" for number in range(6)]


def history(seed: int) -> list[tuple[RunMeta, list[bytes]]]:
    """Runs of several branches, jobs and reruns over forty days (ten of them before the lookback), some in shards."""
    draw = random.Random(seed)
    runs = []
    for number in range(draw.randint(5, 30)):
        started = NOW - timedelta(days=draw.uniform(0, 40))
        meta = RunMeta(
            sha=f"{draw.randint(1, 12):07x}", branch=draw.choice(["main", "main", "feature", "release"]),
            job_name=draw.choice(["unit", "windows"]), github_run_id=str(number), started_at=started,
        )  # fmt: skip
        outage = draw.random() < 0.08
        outcomes = {
            name: [FAIL] if outage else draw.choice([[PASS], [PASS], [PASS], [FAIL], [FAIL, PASS], [SKIP]])
            for name in draw.sample(TESTS, draw.randint(2, len(TESTS)))
        }
        names = list(outcomes)
        cut = draw.randint(1, len(names)) if draw.random() < 0.3 else len(names)
        shards = [{name: outcomes[name] for name in part} for part in (names[:cut], names[cut:]) if part]
        if draw.random() < 0.3:  # a test of the first part is in another part, too, and at times very often
            again = draw.choices([PASS, FAIL, SKIP], k=draw.choice([1, 2, 7, 9]))
            shards.append({names[0]: again})
        runs.append((meta, [report(shard) for shard in shards]))
    return runs


PART = b'--b\r\nContent-Disposition: form-data; name="junit"; filename="r.xml"\r\n\r\n'


async def arrive(database: Database, key: ProjectKey, meta: RunMeta, content: bytes) -> None:
    with closing(UploadReceiver(b"b", UploadLimits(20, 10**7, 10**7))) as receiver:
        receiver.feed(PART + content + b"\r\n--b--\r\n")
        ingestion: UUID = await accept(database, key, meta, receiver.finish(), correlation_id="test")
    await process_upload(database, ingestion, job_id=f"upload-{ingestion}", now=lambda: NOW)
    await analyze_ingestion(database, ingestion, job_id=f"analyze-{ingestion}", config=CONFIG, now=lambda: NOW)


async def make_project(database: Database, slug: str) -> ProjectKey:
    async with database.transaction() as connection:
        organization = await connection.fetchval(
            "INSERT INTO organizations (name, slug) VALUES ($1, $1) RETURNING id", f"org-{slug}"
        )
        row = await connection.fetchrow(
            "INSERT INTO projects (organization_id, name, slug) VALUES ($1, $2, $2) RETURNING id, created_at",
            organization,
            slug,
        )
        key = await connection.fetchval(
            "INSERT INTO api_keys (project_id, name, prefix, key_hash) VALUES ($1, 'k', $2, $3) RETURNING id",
            row["id"], f"fg_{slug}", slug.encode(),
        )  # fmt: skip
    project = Project(row["id"], organization, f"org-{slug}", slug, slug, "main", row["created_at"])
    return ProjectKey(key, "k", f"fg_{slug}", ("ingest:write",), project)


async def snapshot(database: Database, project_id: int) -> dict[str, tuple]:
    """By test: the windows in words (run keys instead of ids), score, verdict and findings without run ids."""
    async with database.transaction() as connection:
        runs = dict(await connection.fetch("SELECT id, key FROM test_runs WHERE project_id = $1", project_id))
        rows = await connection.fetch(
            "SELECT c.name, s.* FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id WHERE s.project_id = $1",
            project_id,
        )

    def words(window: bytes | None):
        if window is None:
            return None
        return [
            (runs[int.from_bytes(window[at : at + 4], "little")], window[at + 4 : at + 6])
            for at in range(0, len(window), 6)
        ]

    return {
        row["name"]: (
            words(row["window_all"]), words(row["window_default"]), row["verdict"], row["score"], row["failure_rate"],
            row["recency"], row["flake_rate"], row["runs"], row["failures"], row["broken_branches"],
            row["failures"] and row["findings"].get("reason"),  # findings of tests that only pass are not kept up
        )
        for row in rows
    }  # fmt: skip


@pytest.mark.pg16
@given(seed=st.integers(0, 10**6))
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_recompute_equals_incremental_in_any_order(seed: int, resources: Resources) -> None:
    database = resources.database
    runs = history(seed)
    snapshots = []
    for turn in range(2):
        key = await make_project(database, f"p{seed}-{turn}-{uuid4().hex[:8]}")
        arrivals = [(meta, content) for meta, contents in runs for content in contents]
        random.Random(seed + turn).shuffle(arrivals)
        for meta, content in arrivals:
            await arrive(database, key, meta, content)
        snapshots.append(await snapshot(database, key.project_id))
        await reanalyze_project(database, key.project_id, recompute=True, config=CONFIG, now=NOW)
        snapshots.append(await snapshot(database, key.project_id))
    incremental, recomputed, other_order, other_recomputed = snapshots
    assert incremental == recomputed
    assert other_order == other_recomputed
    assert incremental == other_order


async def test_ageing_lets_verdicts_fall_when_nothing_is_uploaded(resources: Resources) -> None:
    database = resources.database
    key = await make_project(database, "ageing")
    for number in range(8):
        outcome = [FAIL, PASS] if number < 2 else PASS
        meta = RunMeta(
            sha=f"{number:07x}", branch="main", github_run_id=str(number), started_at=NOW - timedelta(days=9 - number)
        )
        await arrive(database, key, meta, report({"t": outcome}))
    assert (await snapshot(database, key.project_id))["t"][2] in ("flaky", "recovering")
    later = NOW + timedelta(days=24)
    await reanalyze_project(database, key.project_id, recompute=False, config=CONFIG, now=later)
    aged = (await snapshot(database, key.project_id))["t"]
    assert aged[2] in ("stable", "unproven")
    assert aged[3] == 0
    async with database.transaction() as connection:
        changes = await connection.fetch("SELECT from_verdict, to_verdict FROM verdict_changes ORDER BY id")
        lifetime = await connection.fetchval("SELECT lifetime_flakes FROM flake_stats")
    assert changes[-1]["to_verdict"] == aged[2]
    assert lifetime == 2, "lifetime counters never fall"


async def test_ageing_writes_only_what_changes(resources: Resources) -> None:
    database = resources.database
    key = await make_project(database, "quiet")
    meta = RunMeta(sha="abcdef0", branch="main", github_run_id="1", started_at=NOW - timedelta(days=9))
    await arrive(database, key, meta, report({"passes": PASS, "flakes": [FAIL, PASS]}))
    versions = (
        "SELECT c.name, s.xmin::text FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id ORDER BY c.name"
    )
    async with database.transaction() as connection:
        before = dict(await connection.fetch(versions))
    judged = await reanalyze_project(database, key.project_id, recompute=False, config=CONFIG, now=NOW)
    async with database.transaction() as connection:
        after = dict(await connection.fetch(versions))
    assert judged == 2
    assert (after["passes"] == before["passes"], after["flakes"] == before["flakes"]) == (True, False)

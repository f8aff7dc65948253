"""What is too old goes, what is known of tests stays."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import structlog.testing

from flakeguard.analysis.analyzing import reanalyze_project
from flakeguard.retention.cleaning import Cleaned, Retention, clean
from fluxbase.db import ANONYMOUS
from fluxbase.resources import Resources

from ..analysis import test_recompute as histories
from ..analysis.test_recompute import CONFIG, arrive, history, make_project

type Owner = asyncpg.Connection[asyncpg.Record]

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
RETENTION = Retention(junit_content=timedelta(days=30), events=timedelta(days=180))
BORDER = NOW - RETENTION.events  # 17 December 2024, noon


async def add_month(owner: Owner, month: str, until: str) -> None:
    await owner.execute(
        f"CREATE TABLE flake_events_{month[:7].replace('-', '_')} PARTITION OF flake_events "
        f"FOR VALUES FROM ('{month} 00:00+00') TO ('{until} 00:00+00')"
    )


async def add_events(owner: Owner, count: int, first: datetime, every: timedelta) -> None:
    await owner.execute(
        "INSERT INTO flake_events SELECT 1, 1, 1, 1, n, 0, NULL, NULL, at, at "
        "FROM generate_series(0, $1 - 1) n, LATERAL (SELECT $2::timestamptz + n * $3::interval) AS t (at)",
        count, first, every,
    )  # fmt: skip


async def add_file(owner: Owner, project_id: int, state: str, days_old: int) -> int:
    created = NOW - timedelta(days=days_old)
    ingestion = await owner.fetchval(
        "INSERT INTO ingestions (project_id, idempotency_key, state, meta, junit_files, created_at) "
        "VALUES ($1, gen_random_bytes(8), $2, '{}', 1, $3) RETURNING id",
        project_id, state, created,
    )  # fmt: skip
    return await owner.fetchval(
        "INSERT INTO junit_files (project_id, ingestion_id, filename, size_bytes, sha256, encoding, content, "
        "test_count, created_at) VALUES ($1, $2, 'r.xml', 9, 'x', 'gzip', 'content', 7, $3) RETURNING id",
        project_id, ingestion, created,
    )  # fmt: skip


@pytest.mark.pg16
async def test_old_contents_months_and_attempts_go_and_nothing_else(resources: Resources, owner: Owner) -> None:
    await add_month(owner, "2024-11-01", "2024-12-01")
    await add_month(owner, "2024-12-01", "2025-01-01")
    await add_events(owner, 100, datetime(2024, 11, 3, tzinfo=UTC), timedelta(hours=5))  # a month that goes whole
    await add_events(owner, 40, BORDER - timedelta(hours=60), timedelta(hours=1.5))  # before the border, to the second
    await add_events(owner, 30, BORDER, timedelta(hours=1))  # after it
    await add_events(owner, 5, datetime(2023, 1, 1, tzinfo=UTC), timedelta(days=1))  # in the default partition
    project = (await make_project(resources.database, "shop")).project.id
    old, waiting, fresh = [
        await add_file(owner, project, state, days)
        for state, days in (("analyzed", 31), ("accepted", 31), ("analyzed", 29))
    ]

    with structlog.testing.capture_logs() as logs:
        cleaned = await clean(resources.database, RETENTION, now=NOW)

    assert cleaned == Cleaned(junit_content=1, events=145, months=1)
    assert logs[-1]["event"] == "Retention job completed: cleared 1 junit_content, deleted 145 events"
    assert await owner.fetchval("SELECT array_agg(created_at >= $1) FROM flake_events", BORDER) == [True] * 30
    assert await owner.fetchval("SELECT to_regclass('flake_events_2024_11')") is None
    assert await owner.fetchval("SELECT to_regclass('flake_events_2024_12')") is not None
    kept = await owner.fetch("SELECT id FROM junit_files WHERE content IS NOT NULL ORDER BY id")
    assert [row["id"] for row in kept] == [waiting, fresh]
    about = await owner.fetchrow("SELECT filename, test_count, created_at FROM junit_files WHERE id = $1", old)
    assert tuple(about) == ("r.xml", 7, NOW - timedelta(days=31))
    assert await clean(resources.database, RETENTION, now=NOW) == Cleaned(0, 0, 0)


async def test_verdicts_and_counters_stay_and_recomputing_finds_the_same(
    resources: Resources, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the shortest retention that the settings allow: the lookback itself."""
    monkeypatch.setattr(histories, "NOW", NOW)
    key = await make_project(resources.database, "shop")
    for meta, contents in history(2):
        for content in contents:
            await arrive(resources.database, key, meta, content)
    await owner.execute("UPDATE flake_events SET created_at = executed_at")  # each arrived when it ran
    known = (
        "SELECT test_case_id, window_all, window_default, verdict, score, findings, lifetime_runs, lifetime_failures, "
    )
    known += "lifetime_flakes, first_seen_at, last_seen_at FROM flake_stats ORDER BY test_case_id"
    await reanalyze_project(resources.database, key.project.id, recompute=True, config=CONFIG, now=NOW)
    before = await owner.fetch(known)

    cleaned = await clean(resources.database, Retention(timedelta(days=30), CONFIG.lookback), now=NOW)

    assert cleaned is not None
    assert cleaned.events > 5
    assert await owner.fetchval("SELECT count(*) FROM flake_events") > 10
    assert await owner.fetch(known) == before
    await reanalyze_project(resources.database, key.project.id, recompute=True, config=CONFIG, now=NOW)
    assert await owner.fetch(known) == before
    assert {row["verdict"] for row in before} - {"unproven"}


async def test_one_at_a_time(resources: Resources, owner: Owner) -> None:
    await add_events(owner, 50, datetime(2023, 1, 1, tzinfo=UTC), timedelta(hours=3))
    found = await asyncio.gather(*(clean(resources.database, RETENTION, now=NOW) for _ in range(3)))
    assert next(cleaned.events for cleaned in found if cleaned is not None) == 50
    assert None in found


async def test_a_busy_table_is_not_waited_for_long(resources: Resources, owner: Owner, addresses) -> None:
    """Uploads queue behind whoever waits for the lock."""
    await add_month(owner, "2024-11-01", "2024-12-01")
    upload = await asyncpg.connect(addresses.owner_dsn)
    try:
        async with upload.transaction():
            await upload.execute("LOCK TABLE flake_events IN ROW EXCLUSIVE MODE")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await clean(resources.database, RETENTION, now=NOW)
    finally:
        await upload.close()
    cleaned = await clean(resources.database, RETENTION, now=NOW)
    assert cleaned == Cleaned(0, 0, 1)


async def test_only_the_service_drops_months_and_only_old_ones(resources: Resources) -> None:
    async with resources.database.transaction(ANONYMOUS) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT flakeguard.drop_event_months(now())")
    async with resources.database.transaction() as connection:
        with pytest.raises(asyncpg.RaiseError):
            await connection.execute("SELECT flakeguard.drop_event_months(now() + interval '1 year')")

"""Uploads that are the first to name the same tests do not end each other."""

import asyncio
from datetime import UTC, datetime

import asyncpg

from flakeguard.ingestion.batches import Batch, in_batches
from flakeguard.ingestion.meta import RunMeta
from flakeguard.ingestion.repository import store_batch, upsert_run
from flakeguard.reports.model import Outcome, ParsedAttempt
from fluxbase.resources import Resources

from ..analysis.test_recompute import make_project

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def naming(test: str) -> Batch:
    attempt = ParsedAttempt("s", None, "c", test, None, Outcome.FAILED, 0.1, "E", test, None, None, None)
    return next(in_batches([attempt], ""))


async def test_first_uploads_that_name_tests_in_other_orders_do_not_deadlock(
    resources: Resources, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    key = await make_project(resources.database, "naming")

    async def store(number: int, *tests: str, after_first=None) -> None:
        meta = RunMeta(sha="abcdef0", github_run_id=str(number))
        async with resources.database.transaction() as connection:
            run = await upsert_run(connection, key.project_id, bytes([number]) * 16, meta, NOW)
            for test in tests:
                await store_batch(connection, run, number, naming(test), NOW)
                if after_first is not None:
                    await after_first()
                    after_first = None

    others: list[asyncio.Task[None]] = []

    async def start_other() -> None:
        others.append(asyncio.create_task(store(2, "two", "one")))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(20):
            while not await owner.fetchval(waiting):  # noqa: ASYNC110 -- the lock is in the database
                await asyncio.sleep(0.01)

    await store(1, "one", "two", after_first=start_other)
    await others[0]
    assert await owner.fetchval("SELECT count(*) FROM flake_events") == 4
    assert await owner.fetchval("SELECT count(*) FROM test_cases") == 2

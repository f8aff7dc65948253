"""Months of attempts: made ahead, by many workers at once, and after a time in which nobody made any."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from flakeguard.worker.schedules import _SQL
from fluxbase.db import ANONYMOUS
from fluxbase.resources import Resources


async def test_a_month_that_was_missed_takes_its_rows_out_of_the_default(
    resources: Resources, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    now = datetime.now(UTC)
    part = f"flake_events_{now:%Y_%m}"
    await owner.execute(f"DROP TABLE {part}")
    await owner.execute("INSERT INTO flake_events VALUES (1, 1, 1, 1, 0, 1, NULL, NULL, $1, $1)", now)

    async def ensure() -> None:
        async with resources.database.transaction() as connection:
            await connection.execute(_SQL["ensure_partitions"])

    await asyncio.gather(ensure(), ensure(), ensure())
    assert await owner.fetchval("SELECT tableoid::regclass::text FROM flake_events") == part


async def test_only_the_service_makes_partitions(resources: Resources) -> None:
    async with resources.database.transaction(ANONYMOUS) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT flakeguard.ensure_event_partitions(100000)")

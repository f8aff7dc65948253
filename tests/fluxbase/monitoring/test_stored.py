"""Objects are counted every few seconds, however often monitors ask."""

import asyncio

from fluxbase.monitoring import stored


async def test_many_who_ask_are_answered_by_one_count(resources, owner, monkeypatch):
    counted = []

    async def counting(database):
        counted.append(database)
        return await real(database)

    real = stored.storage_stats
    monkeypatch.setattr(stored, "storage_stats", counting)
    counts = stored.Stored(resources.database)

    assert {one.buckets for one in await asyncio.gather(*(counts.count() for _ in range(10)))} == {0}
    await owner.execute("INSERT INTO storage.buckets (id) VALUES ('one')")
    assert ((await counts.count()).buckets, len(counted)) == (0, 1)
    monkeypatch.setattr(stored, "COUNT_EVERY_SECONDS", 0.0)
    assert ((await counts.count()).buckets, len(counted)) == (1, 2)

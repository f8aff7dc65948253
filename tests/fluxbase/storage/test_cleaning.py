"""What happens to bytes: deleted by SQL, abandoned, left by a process that died."""

import asyncio

import pytest

from fluxbase.errors import UnavailableError
from fluxbase.storage import clean, cleaning, storage_health, storage_stats
from fluxbase.storage.blobs import BlobStore, open_store
from fluxbase.storage.cleaning import running_cleaner

from .conftest import blobs_in

# How an upload of ours takes a blob that it has begun.
ATTACH = "UPDATE storage.blobs SET object_id = gen_random_uuid() WHERE object_id IS NULL AND released_at IS NULL"
WAYS = [
    "DELETE FROM storage.objects",
    "TRUNCATE storage.objects",
    "DELETE FROM storage.objects WHERE created_at < NOW() + INTERVAL '90 days' AND bucket_id = 'private'",
]


@pytest.fixture
async def swept(app, resources):
    """Clean at once; how many blobs were removed."""

    async def sweep(**options) -> int:
        return await clean(resources.database, lambda: app.state.blobs, **{"grace_seconds": 0} | options)

    return sweep


@pytest.mark.parametrize("statement", WAYS)
async def test_what_sql_deletes_leaves_no_bytes(alice, private, folder, owner, swept, statement):
    for name in "abc":
        await alice.post(f"{private}/{name}", content=name.encode())
    assert len(blobs_in(folder)) == 3
    assert await swept() == 0
    await owner.execute(statement)
    assert await swept(grace_seconds=60) == 0, "readers that have begun may end"
    assert await swept() == 3
    assert blobs_in(folder) == []
    assert await owner.fetchval("SELECT count(*) FROM storage.blobs") == 0


async def test_a_deletion_that_is_rolled_back_loses_nothing(alice, private, owner, swept):
    await alice.post(f"{private}/a", content=b"x")
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("DELETE FROM storage.objects")
    await transaction.rollback()
    assert await swept() == 0
    assert (await alice.get(f"{private}/a")).content == b"x"


async def test_renaming_by_sql_keeps_the_bytes(alice, private, owner, swept):
    await alice.post(f"{private}/a", content=b"x")
    await owner.execute("UPDATE storage.objects SET name = 'b', metadata = '{\"a\": 1}'")
    assert await swept() == 0
    assert (await alice.get(f"{private}/b")).content == b"x"


async def test_objects_of_an_account_that_goes_stay_without_an_owner(alice, private, owner, operator, swept):
    await alice.post(f"{private}/a", content=b"x")
    await owner.execute("DELETE FROM auth.users")
    assert await swept() == 0
    answer = await operator.get(private)
    assert [(one["key"], one["owner_id"]) for one in answer.json()["objects"]] == [("a", None)]


async def test_what_a_dead_process_left_goes_after_a_day(alice, private, folder, owner, swept):
    """A row before the first byte, then half a file, then the end of the process."""
    await alice.post(f"{private}/a", content=b"kept")
    await owner.execute("INSERT INTO storage.blobs (key) VALUES ('private/ab/half')")
    (folder / "private" / "ab").mkdir(exist_ok=True)
    (folder / "private" / "ab" / "half#1").write_bytes(b"half")
    assert await swept() == 0
    assert await swept(pending_seconds=0) == 1
    assert [path.read_bytes() for path in blobs_in(folder)] == [b"kept"]


async def test_cleaners_do_not_wait_for_each_other(alice, private, swept, owner):
    for number in range(5):
        await alice.post(f"{private}/{number}", content=b"x")
    await owner.execute("DELETE FROM storage.objects")
    assert sum(await asyncio.gather(swept(), swept(), swept())) == 5


async def test_nothing_is_held_while_the_store_removes(alice, private, app, resources, owner, swept):
    """Neither row nor connection, however long S3 takes; and nobody else sets out to do the same."""
    await alice.post(f"{private}/a", content=b"x")
    await owner.execute("DELETE FROM storage.objects; INSERT INTO storage.blobs (key) VALUES ('private/ab/slow')")
    seen = {}

    class Slow:
        async def delete(self, keys):
            pool = resources.database.pool
            seen["held"] = pool.get_size() - pool.get_idle_size()
            seen["claimed"] = len(await owner.fetch("SELECT FROM storage.blobs FOR UPDATE NOWAIT"))
            seen["others"] = await swept(pending_seconds=0)
            seen["attached"] = await owner.execute(ATTACH)
            await app.state.blobs.delete(keys)

    assert await clean(resources.database, Slow, grace_seconds=0, pending_seconds=0) == 2
    assert seen == {"held": 0, "claimed": 2, "others": 0, "attached": "UPDATE 0"}
    assert await owner.fetchval("SELECT count(*) FROM storage.blobs") == 0


async def test_a_store_that_does_not_answer_is_asked_again(alice, private, app, resources, owner, swept):
    await alice.post(f"{private}/a", content=b"x")
    await owner.execute("DELETE FROM storage.objects")

    def closed() -> BlobStore:
        raise UnavailableError

    with pytest.raises(UnavailableError):
        await clean(resources.database, closed, grace_seconds=0)
    assert await swept() == 0, "it is claimed for a while"
    assert await swept(claim_seconds=0) == 1


async def test_the_running_cleaner_cleans_whatever_comes_in_between(alice, private, app, folder, owner, monkeypatch):
    monkeypatch.setattr(cleaning, "_PAUSE_SECONDS", 0.01)
    await alice.post(f"{private}/a", content=b"x")
    await owner.execute("DELETE FROM storage.objects; UPDATE storage.blobs SET released_at = now() - interval '1 hour'")
    whole = app.state.blobs

    class Broken:
        async def delete(self, keys):
            app.state.blobs = whole
            await owner.execute("UPDATE storage.blobs SET claimed_at = NULL")
            raise RuntimeError("what nobody expected")

    app.state.blobs = Broken()
    async with running_cleaner(app), asyncio.timeout(10):
        while blobs_in(folder):  # noqa: ASYNC110 -- a folder tells nobody
            await asyncio.sleep(0.01)


async def test_an_upload_whose_rights_end_meanwhile_stores_nothing(alice, private, folder, owner, swept):
    async def body():
        yield b"x" * 1000
        await owner.execute("DELETE FROM auth.sessions")
        yield b"y" * 1000

    assert (await alice.put(f"{private}/a", content=body())).status_code == 401
    assert await owner.fetchval("SELECT count(*) FROM storage.objects") == 0
    assert await swept() == 1
    assert blobs_in(folder) == []


async def test_a_bucket_that_goes_during_an_upload_takes_nothing(alice, private, folder, owner, swept):
    async def body():
        yield b"x" * 1000
        await owner.execute("DELETE FROM storage.buckets")

    answer = await alice.put(f"{private}/a", content=body())
    assert (answer.status_code, answer.json()["error"]) == (404, "bucket_not_found")
    await swept()
    assert blobs_in(folder) == []


async def test_bytes_that_somebody_took_away_are_our_fault(alice, private, folder):
    await alice.post(f"{private}/a", content=b"x")
    for path in blobs_in(folder):
        path.unlink()
    assert (await alice.get(f"{private}/a")).status_code == 500


async def test_health_and_stats(alice, private, app, folder, settings, resources, tmp_path):
    await alice.post(f"{private}/a", content=b"12345")
    health = await storage_health(app.state.blobs)
    assert (health.well, health.message) == (True, None)
    assert health.latency_ms > 0
    assert len(blobs_in(folder)) == 1
    stats = await storage_stats(resources.database)
    assert (stats.buckets, stats.objects, stats.bytes, stats.unneeded) == (1, 1, 5, 0)

    gone = open_store(settings.model_copy(update={"storage_local_path": tmp_path / "gone"}), tmp_path)
    (tmp_path / "gone").rmdir()
    (tmp_path / "gone").write_text("not a folder")
    assert (await storage_health(gone)).well is False

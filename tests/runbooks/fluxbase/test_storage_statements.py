"""The runbook's section on storage, statement by statement, as the operator types them."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from fluxbase.db import SERVICE
from fluxbase.storage import clean
from fluxbase.storage import repository as storage
from fluxbase.storage.blobs import BlobStore, LocalStore
from fluxbase.storage.model import Content

ORPHANED = """
SELECT * FROM storage.objects o
LEFT JOIN storage.buckets b ON o.bucket_id = b.id
WHERE b.id IS NULL;
"""
DELETE_OLD = """
DELETE FROM storage.objects
WHERE created_at < NOW() - INTERVAL '90 days'
AND bucket_id = 'temp-uploads';
"""
DATABASE_SIZE = "SELECT pg_size_pretty(pg_database_size('{name}'));"


@pytest.fixture
def blobs(tmp_path) -> BlobStore:
    return BlobStore(LocalStore(tmp_path), tmp_path)


@pytest.fixture
async def stored(resources, owner, blobs) -> None:
    """Two buckets; of `temp-uploads` one object is old."""
    await owner.execute("INSERT INTO storage.buckets (id) VALUES ('temp-uploads'), ('kept')")
    for bucket, name in (("temp-uploads", "old"), ("temp-uploads", "new"), ("kept", "old")):
        key = f"{bucket}/{name}"

        async def chunks(text=key):
            yield text.encode()

        await blobs.write(key, chunks())
        async with resources.database.transaction(SERVICE) as connection:
            await storage.begin_blob(connection, key)
            await storage.add_object(connection, bucket, name, Content(key, len(key), "text/plain", "etag", {}))
    await owner.execute(
        "UPDATE storage.objects SET created_at = $1 WHERE name = 'old'", datetime.now(UTC) - timedelta(days=91)
    )


async def test_orphaned_objects_are_found(stored, owner):
    assert await owner.fetch(ORPHANED) == []
    await owner.execute("DELETE FROM storage.buckets WHERE id = 'kept'")
    assert [(row["bucket_id"], row["name"]) for row in await owner.fetch(ORPHANED)] == [("kept", "old")]


async def test_old_objects_are_deleted_and_so_are_their_bytes(stored, owner, resources, blobs, tmp_path):
    assert await owner.execute(DELETE_OLD) == "DELETE 1"
    await clean(resources.database, lambda: blobs, grace_seconds=0)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"temp-uploads/new", "kept/old"}


async def test_the_database_and_the_folder_are_measured(stored, owner, tmp_path):
    name = await owner.fetchval("SELECT current_database()")
    assert await owner.fetchval(DATABASE_SIZE.format(name=name))
    du = shutil.which("du")
    assert du is not None
    command = [du, "-sh", *sorted(map(str, tmp_path.iterdir()))]
    measured = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: ASYNC221 -- a moment
    assert [line.rpartition("/")[2] for line in measured.stdout.splitlines()] == ["kept", "temp-uploads"]


async def test_the_database_is_vacuumed(stored, owner):
    await owner.execute("VACUUM FULL VERBOSE storage.objects;")
    assert await owner.fetchval("SELECT count(*) FROM storage.objects") == 3

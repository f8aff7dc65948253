"""Is the object store well, and how much is in it?"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fluxbase.db import Database
from fluxbase.durations import milliseconds_since
from fluxbase.errors import FluxbaseError
from fluxbase.storage import repository
from fluxbase.storage.blobs import BlobStore, new_key
from fluxbase.storage.ranges import ByteRange

PATIENCE_SECONDS = 5.0
_FOLDER = ".health"
_CONTENT = b"well"


@dataclass(frozen=True, slots=True)
class StorageHealth:
    """How a blob of a few bytes fared. `message` says what is wrong, None when nothing is."""

    well: bool
    latency_ms: float
    message: str | None = None


@dataclass(frozen=True, slots=True)
class StorageStats:
    """What is stored. `unneeded` blobs wait for the cleaner."""

    buckets: int
    objects: int
    bytes: int
    unneeded: int


async def storage_health(blobs: BlobStore, *, patience_seconds: float = PATIENCE_SECONDS) -> StorageHealth:
    """Write, read and remove a blob; never raises for a store that is not well."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(patience_seconds):
            message = await _round_trip(blobs)
    except (FluxbaseError, OSError) as error:
        message = str(error) or f"no answer within {patience_seconds:g} s"
    return StorageHealth(message is None, milliseconds_since(started), message)


async def _round_trip(blobs: BlobStore) -> str | None:
    key = new_key(_FOLDER)
    try:
        await blobs.write(key, _content())
        read = b"".join([chunk async for chunk in await blobs.read(key, ByteRange(0, len(_CONTENT)))])
    finally:
        await blobs.delete([key])
    return None if read == _CONTENT else "what was written is not what is read"


async def _content() -> AsyncIterator[bytes]:
    yield _CONTENT


async def storage_stats(database: Database) -> StorageStats:
    """Counts over all buckets; reads an index of every object, so ask once in a while and not on each request."""
    async with database.transaction() as connection:
        row = await repository.count_everything(connection)
    return StorageStats(**dict(row))

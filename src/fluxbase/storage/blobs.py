"""The object store: bytes under keys that we make up.

A key is written once and never again, so that nothing that is stored can be overwritten, half or whole. Which key an
object has now is for the database to say.
"""

import asyncio
import errno
import os
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from fluxbase.errors import ConfigurationError, FluxbaseError, InsufficientStorageError, UnavailableError
from fluxbase.settings import Settings, StorageProvider
from fluxbase.storage.errors import BlobMissingError
from fluxbase.storage.ranges import ByteRange

if TYPE_CHECKING:  # names of obstore's stubs only
    from obstore import BytesStream
    from obstore.store import ObjectStore, S3Config

logger = structlog.get_logger(__name__)

# S3 takes parts of 5 MiB and more. Two are under way at once, so an upload holds about three, whatever its size.
_PART_BYTES = 5 * 1024 * 1024
_PARTS_AT_ONCE = 2
_READ_BYTES = 256 * 1024
_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL = tuple(f"(os error {number})" for number in _FULL_ERRNOS)  # how obstore writes them
_FULL_S3 = ("InsufficientStorage", "StorageFull", "QuotaExceeded", "507 ")
NO_SPACE = "no space left on device"


def new_key(bucket_id: str) -> str:
    """A key that nobody can guess and nobody had before; a folder for each bucket, so that `du` says who is large."""
    name = uuid.uuid4().hex
    return f"{bucket_id}/{name[:2]}/{name}"


@dataclass(frozen=True, slots=True)
class BlobStore:
    """Where blobs are. `root` is the folder of a local one, None elsewhere."""

    store: "ObjectStore"
    root: Path | None = None

    async def write(self, key: str, chunks: AsyncIterable[bytes]) -> None:
        """Store what `chunks` gives, whole or not at all; on return it has reached the disk.

        What `chunks` raises is raised here, and nothing is stored.

        Raises:
            InsufficientStorageError: 507, the disk or the quota is full.
            UnavailableError: 503, the store cannot be reached.
        """
        with _translated(key):
            head, rest = await _up_to(_PART_BYTES, aiter(chunks))
            content = head if rest is None else _joined(head, rest)
            await obstore.put_async(self.store, key, content, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
            if self.root is not None:
                await asyncio.to_thread(_sync, self.root, key)

    async def read(self, key: str, part: ByteRange) -> AsyncIterator[bytes]:
        """The bytes of `part`, a chunk at a time. The blob is opened before this returns.

        Raises:
            BlobMissingError: The bytes are gone.
            UnavailableError: 503.
        """
        with _translated_reading(key):
            if not len(part):
                await obstore.head_async(self.store, key)
                return _nothing()
            found = await obstore.get_async(self.store, key, options={"range": (part.start, part.end)})
            if found.range != (part.start, part.end):
                raise BlobMissingError(f"The blob {key} is shorter than its object.")
            return _streamed(key, found.stream(min_chunk_size=_READ_BYTES))

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove blobs, and what interrupted uploads to their keys left; those that are gone already do not matter.

        Raises:
            UnavailableError: 503.
        """
        if self.root is not None:
            await asyncio.to_thread(_unlink, self.root, keys)
            return
        with _translated(keys[0] if keys else ""):
            await obstore.delete_async(self.store, list(keys))


@contextmanager
def _translated(key: str) -> Generator[None]:
    """What the store raises, as errors of ours."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise _ours(error, key) from error


@contextmanager
def _translated_reading(key: str) -> Generator[None]:
    """The same for a blob that must be there."""
    try:
        yield
    except FileNotFoundError as error:
        logger.error("blob missing", key=key)  # noqa: TRY400 -- the stack tells nothing
        raise BlobMissingError(f"The blob {key} is missing.") from error
    except (BaseError, OSError) as error:
        raise _ours(error, key) from error


def _ours(error: Exception, key: str) -> FluxbaseError:
    text = str(error)
    log = logger.bind(key=key, error=text.partition("\n")[0])
    if getattr(error, "errno", None) in _FULL_ERRNOS or any(sign in text for sign in (*_FULL, *_FULL_S3)):
        log.error(NO_SPACE)
        return InsufficientStorageError()
    log.error("object store failed")
    return UnavailableError("The object store cannot be used now; try again shortly.")


async def _up_to(size: int, chunks: AsyncIterator[bytes]) -> tuple[bytes, AsyncIterator[bytes] | None]:
    """The first `size` bytes or a little more, and what comes behind them; None when that was all."""
    head = bytearray()
    async for chunk in chunks:
        head += chunk
        if len(head) >= size:
            return bytes(head), chunks
    return bytes(head), None


async def _joined(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        if chunk:  # an empty one would be taken for the end
            yield chunk


async def _nothing() -> AsyncIterator[bytes]:
    for chunk in ():
        yield chunk


async def _streamed(key: str, stream: "BytesStream") -> AsyncIterator[bytes]:
    with _translated_reading(key):
        async for chunk in stream:
            yield bytes(chunk)


def _sync(root: Path, key: str) -> None:
    """What was renamed into place survives a power cut: the file, and the folders that name it."""
    for path in (file := root / key, *(folder for folder in file.parents if folder.is_relative_to(root))):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unlink(root: Path, keys: Sequence[str]) -> None:
    for key in keys:
        file = root / key
        # obstore writes to `name#1` and renames; a process that was killed leaves that.
        for path in (file, *file.parent.glob(f"{file.name}#*")):
            path.unlink(missing_ok=True)
        for folder in (file.parent, file.parent.parent):
            try:
                folder.rmdir()
            except OSError:  # it has other files in it, or is gone
                break


def open_store(settings: Settings, home: Path) -> BlobStore:
    """The store that the settings name; `home` is where a local one lies when they name no folder.

    Raises:
        ConfigurationError: A bucket is missing, or the folder cannot be made.
    """
    if settings.storage_provider is StorageProvider.S3:
        return BlobStore(_open_s3(settings))
    root = (settings.storage_local_path or home / "storage").expanduser().absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"the storage folder {root} cannot be made: {error}") from error
    return BlobStore(LocalStore(root), root)


def _open_s3(settings: Settings) -> S3Store:
    if settings.storage_s3_bucket is None:
        raise ConfigurationError("storage.provider is s3: set FLUXBASE_STORAGE_S3_BUCKET to the bucket's name")
    config: S3Config = {"region": settings.storage_s3_region}
    endpoint = settings.storage_s3_endpoint
    if endpoint is not None:
        config["endpoint"] = endpoint
    if settings.storage_s3_access_key is not None and settings.storage_s3_secret_key is not None:
        config["access_key_id"] = settings.storage_s3_access_key.get_secret_value()
        config["secret_access_key"] = settings.storage_s3_secret_key.get_secret_value()
    return S3Store(
        settings.storage_s3_bucket,
        config=config,
        client_options={
            "allow_http": (endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            # Of each read, not of a whole download, which may take its client hours.
            "read_timeout": timedelta(seconds=30),
            "timeout": timedelta(days=1),
        },
        retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
    )

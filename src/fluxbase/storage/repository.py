"""Buckets, objects and the ledger of blobs. Everything runs as whoever the transaction is for."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from fluxbase.db import Connection, load
from fluxbase.storage.errors import BucketNotFoundError, ObjectNotFoundError
from fluxbase.storage.model import Bucket, Content, ObjectVersion, StoredObject

SQL = load(__package__)


def _bucket(row: asyncpg.Record) -> Bucket:
    fields: dict[str, Any] = dict(row)
    allowed: list[str] | None = fields.pop("allowed_mime_types")
    return Bucket(**fields, allowed_mime_types=None if allowed is None else tuple(allowed))


def _object(row: asyncpg.Record) -> StoredObject:
    fields: Mapping[str, Any] = dict(row)
    return StoredObject(**fields)


async def list_buckets(connection: Connection) -> list[Bucket]:
    """Those that the caller may see, by name."""
    return [_bucket(row) for row in await connection.fetch(SQL["list_buckets"])]


async def find_bucket(connection: Connection, bucket_id: str) -> Bucket:
    """The bucket.

    Raises:
        BucketNotFoundError: 404, there is none that the caller may see.
    """
    row = await connection.fetchrow(SQL["find_bucket"], bucket_id)
    if row is None:
        raise BucketNotFoundError
    return _bucket(row)


async def add_bucket(
    connection: Connection,
    bucket_id: str,
    *,
    public: bool,
    user_uploads: bool,
    allowed: Sequence[str] | None,
    max_file_size: int | None,
) -> Bucket:
    """Make a bucket; asyncpg.UniqueViolationError when there is one."""
    row = await connection.fetchrow(SQL["add_bucket"], bucket_id, public, user_uploads, allowed, max_file_size)
    assert row is not None  # noqa: S101 -- INSERT … RETURNING without a conflict clause
    return _bucket(row)


async def change_bucket(
    connection: Connection,
    bucket_id: str,
    *,
    public: bool,
    user_uploads: bool,
    allowed: Sequence[str] | None,
    max_file_size: int | None,
) -> Bucket | None:
    """Set all that can be changed; None when the caller may not, or there is no such bucket."""
    row = await connection.fetchrow(SQL["change_bucket"], bucket_id, public, user_uploads, allowed, max_file_size)
    return None if row is None else _bucket(row)


async def delete_bucket(connection: Connection, bucket_id: str) -> bool:
    """Whether a bucket was deleted; what is in it stays."""
    return await connection.fetchval(SQL["delete_bucket"], bucket_id) is not None


async def has_objects(connection: Connection, bucket_id: str) -> bool:
    """Whether anything is in the bucket, seen or unseen by the caller."""
    return await connection.fetchval(SQL["has_objects"], bucket_id)


async def empty_bucket(connection: Connection, bucket_id: str) -> None:
    """Delete what the caller may delete."""
    await connection.execute(SQL["empty_bucket"], bucket_id)


async def list_objects(
    connection: Connection, bucket_id: str, *, prefix: str, limit: int, offset: int
) -> list[StoredObject]:
    """A page of the objects that the caller may see, by name, byte for byte."""
    return [_object(row) for row in await connection.fetch(SQL["list_objects"], bucket_id, prefix, limit, offset)]


async def find_object(connection: Connection, bucket_id: str, name: str) -> StoredObject:
    """The object.

    Raises:
        ObjectNotFoundError: 404, there is none that the caller may see.
    """
    row = await connection.fetchrow(SQL["find_object"], bucket_id, name)
    if row is None:
        raise ObjectNotFoundError
    return _object(row)


async def lock_object(connection: Connection, bucket_id: str, name: str) -> ObjectVersion | None:
    """An object that the caller may change, locked until the transaction ends."""
    row = await connection.fetchrow(SQL["lock_object"], bucket_id, name)
    return None if row is None else ObjectVersion(row["id"], row["etag"])


async def add_object(connection: Connection, bucket_id: str, name: str, content: Content) -> StoredObject:
    """Make an object of the caller; asyncpg.UniqueViolationError when the name is taken."""
    row = await connection.fetchrow(
        SQL["add_object"],
        bucket_id,
        name,
        content.size,
        content.mime_type,
        content.etag,
        content.blob_key,
        content.metadata,
    )
    assert row is not None  # noqa: S101 -- INSERT … RETURNING without a conflict clause
    return _object(row)


async def replace_content(connection: Connection, object_id: UUID, content: Content) -> StoredObject | None:
    """Give an object other content; None when the caller may not."""
    row = await connection.fetchrow(
        SQL["replace_content"],
        object_id,
        content.size,
        content.mime_type,
        content.etag,
        content.blob_key,
        content.metadata,
    )
    return None if row is None else _object(row)


async def delete_object(connection: Connection, object_id: UUID) -> bool:
    """Whether an object was deleted; its blob is released in the same commit."""
    return await connection.fetchval(SQL["delete_object"], object_id) is not None


async def begin_blob(connection: Connection, key: str) -> None:
    """Note that bytes will be written under `key`."""
    await connection.execute(SQL["begin_blob"], key)


async def abandon_blob(connection: Connection, key: str, *, grace_seconds: float) -> None:
    """Nobody will read this blob: it need not wait for `grace_seconds`. Does nothing to one that became content."""
    await connection.execute(SQL["abandon_blob"], key, grace_seconds)


async def claim_unneeded_blobs(
    connection: Connection, *, grace_seconds: float, pending_seconds: float, claim_seconds: float, limit: int
) -> list[str]:
    """Keys of blobs that were released for that long, or begun that long ago and never attached.

    Nobody else gets them for `claim_seconds`.
    """
    rows = await connection.fetch(SQL["claim_unneeded_blobs"], grace_seconds, pending_seconds, claim_seconds, limit)
    return [row["key"] for row in rows]


async def forget_blobs(connection: Connection, keys: Sequence[str]) -> None:
    """Their bytes are gone."""
    await connection.execute(SQL["forget_blobs"], keys)


async def count_everything(connection: Connection) -> asyncpg.Record:
    """One row: buckets, objects, bytes, unneeded."""
    row = await connection.fetchrow(SQL["count_everything"])
    assert row is not None  # noqa: S101 -- a SELECT of aggregates
    return row

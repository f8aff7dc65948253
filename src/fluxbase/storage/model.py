"""Buckets and objects as the database knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and its limits.

    Attributes:
        public: Whether everybody may read what is in it.
        user_uploads: Whether every signed-in user may store objects in it; otherwise only whom policies let.
        allowed_mime_types: None allows every type.
        max_file_size: Bytes; None leaves it to the server's own limit.
    """

    id: str
    public: bool
    user_uploads: bool
    allowed_mime_types: tuple[str, ...] | None
    max_file_size: int | None
    owner_id: UUID | None
    created_at: datetime
    updated_at: datetime

    def as_json(self) -> dict[str, Any]:
        """The shape of a bucket in the API."""
        return {
            "id": self.id,
            "public": self.public,
            "user_uploads": self.user_uploads,
            "allowed_mime_types": self.allowed_mime_types,
            "max_file_size": self.max_file_size,
            "owner_id": self.owner_id and str(self.owner_id),
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """Which object, and which content of it: as `id` and `etag` of `StoredObject`."""

    id: UUID
    etag: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object: its name, and the content it has now.

    Attributes:
        id: Stays when the content is replaced.
        size: Bytes.
        etag: SHA-256 of the content, in hexadecimal; HTTP shows it in quotes.
        blob_key: Where its bytes lie in the store; another upload lies elsewhere.
        public: Whether its bucket is.
    """

    id: UUID
    bucket_id: str
    name: str
    owner_id: UUID | None
    size: int
    mime_type: str
    metadata: Mapping[str, Any]
    etag: str
    blob_key: str
    public: bool
    created_at: datetime
    updated_at: datetime

    def as_json(self) -> dict[str, Any]:
        """The shape of an object in the API."""
        return {
            "id": str(self.id),
            "key": self.name,
            "bucket": self.bucket_id,
            "size": self.size,
            "content_type": self.mime_type,
            "etag": self.etag,
            "owner_id": self.owner_id and str(self.owner_id),
            "metadata": self.metadata,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Content:
    """What an upload turned out to be, once its last byte was stored under `blob_key`."""

    blob_key: str
    size: int
    mime_type: str
    etag: str
    metadata: Mapping[str, Any]

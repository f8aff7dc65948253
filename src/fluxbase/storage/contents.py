"""The bytes of an object on their way into the store: of a kind that is taken, counted, hashed, held to a limit."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from fluxbase.errors import PayloadTooLargeError, UnsupportedMediaTypeError
from fluxbase.storage import sniffing
from fluxbase.storage.blobs import BlobStore
from fluxbase.storage.model import Bucket, Content
from fluxbase.storage.receiving import Incoming


async def take_in(
    blobs: BlobStore, key: str, bucket: Bucket, name: str, incoming: Incoming, *, most_bytes: int
) -> Content:
    """Write what comes in under `key`, if the bucket takes it; `most_bytes` holds for every bucket.

    Raises:
        InvalidRequestError: 400, there is no content, or it broke off.
        PayloadTooLargeError: 413.
        UnsupportedMediaTypeError: 415.
        InsufficientStorageError: 507.
    """
    await incoming.start()
    chunks = incoming.chunks()
    head = bytearray()
    while len(head) < sniffing.HEAD_BYTES and (chunk := await anext(chunks, None)) is not None:
        head += chunk
    kind = _checked_type(bucket, incoming.content_type, name, bytes(head[: sniffing.HEAD_BYTES]))
    measured = _Measured(min(most_bytes, bucket.max_file_size or most_bytes))
    await blobs.write(key, measured.watch(bytes(head), chunks))
    return Content(key, measured.size, kind, measured.digest.hexdigest(), incoming.metadata())


@dataclass(slots=True)
class _Measured:
    """Chunks on their way into the store: counted, hashed, held to the limit."""

    limit_bytes: int
    size: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    async def watch(self, head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        yield self._take(head)
        async for chunk in rest:
            yield self._take(chunk)

    def _take(self, chunk: bytes) -> bytes:
        self.size += len(chunk)
        if self.size > self.limit_bytes:
            raise PayloadTooLargeError(f"The object is larger than the {self.limit_bytes} bytes that its bucket takes.")
        self.digest.update(chunk)
        return chunk


def _checked_type(bucket: Bucket, declared: str | None, name: str, head: bytes) -> str:
    kind = sniffing.media_type(declared, name, head)
    if bucket.allowed_mime_types is None:
        return kind
    if not sniffing.is_allowed(kind, bucket.allowed_mime_types):
        raise UnsupportedMediaTypeError(
            f"The bucket takes {', '.join(bucket.allowed_mime_types) or 'nothing'}, not {kind}."
        )
    seen = sniffing.contradicts(kind, head)
    if seen is not None:
        raise UnsupportedMediaTypeError(f"The content is said to be {kind}, but its first bytes are {seen}.")
    return kind

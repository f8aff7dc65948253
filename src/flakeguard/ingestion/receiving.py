"""Takes a multipart upload apart while it streams in: hashed, compressed, spooled; memory stays flat.

Sans I/O: `feed` it the body's chunks. A report arrives plain, gzipped or in a zip; plain ones are compressed on the
way, gzipped ones are looked into (for size, digest and a first judgement) but kept as they came.
"""

import hashlib
import tempfile
import zlib
from dataclasses import dataclass
from typing import IO

from flakeguard.errors import InvalidMetaError, TooManyFilesError, UploadTooLargeError
from flakeguard.reports.sniffing import can_be_report
from fluxbase.errors import InvalidRequestError
from fluxbase.http.multipart import Form, PartHead, boundary_of

_GZIP_MAGIC, _ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"
_HEAD_BYTES = 16 * 1024
_META_BYTES = 64 * 1024
_IN_MEMORY_BYTES = 256 * 1024
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_NAME_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one request may hold. Bytes are counted uncompressed for files, as they arrive for the whole."""

    files: int
    file_bytes: int
    upload_bytes: int


@dataclass(slots=True)
class ReceivedFile:
    """One `junit` part, spooled.

    `sha256` is of the report itself (of the archive for a zip), `size_bytes` its uncompressed size, `possible` what its
    first bytes say: False means that it is no report.
    """

    filename: str
    encoding: str
    size_bytes: int
    sha256: bytes
    possible: bool | None
    content: IO[bytes]


@dataclass(slots=True)
class Received:
    """A whole upload."""

    meta: bytes | None
    files: list[ReceivedFile]

    def contents_digest(self) -> bytes:
        """A digest of all contents that does not depend on their order or names."""
        return hashlib.sha256(b"".join(sorted(file.sha256 for file in self.files))).digest()


class _FileSink:
    """One report on its way to its spool."""

    def __init__(self, filename: str, limit_bytes: int) -> None:
        self.filename = filename
        self._limit_bytes = limit_bytes
        self._spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 -- closed with the upload
        self._digest = hashlib.sha256()
        self._size = 0
        self._head = b""
        self._start = b""
        self._encoding: str | None = None
        self._deflate = zlib.compressobj(1, zlib.DEFLATED, _GZIP_WINDOW)
        self._inflate = zlib.decompressobj(_GZIP_WINDOW)
        self._damaged = False

    def write(self, data: bytes) -> None:
        if self._encoding is None:
            self._start += data
            if len(self._start) < len(_ZIP_MAGIC):
                return
            data, self._start = self._start, b""
            self._encoding = self._encoding_of(data)
        self._take(data)

    def finish(self) -> ReceivedFile:
        if self._encoding is None:
            self._encoding = "plain"
            self._take(self._start)
        if self._encoding == "plain":
            self._spool.write(self._deflate.flush())
        possible = True if self._encoding == "zip" else (False if not self._size else can_be_report(self._head))
        self._spool.seek(0)
        encoding = "zip" if self._encoding == "zip" else "gzip"
        return ReceivedFile(self.filename, encoding, self._size, self._digest.digest(), possible, self._spool)

    def close(self) -> None:
        self._spool.close()

    @staticmethod
    def _encoding_of(start: bytes) -> str:
        if start.startswith(_GZIP_MAGIC):
            return "gzip"
        return "zip" if start.startswith(_ZIP_MAGIC) else "plain"

    def _take(self, data: bytes) -> None:
        if self._encoding == "gzip":
            self._spool.write(data)
            self._look_into(data)
            return
        self._count(data)
        self._spool.write(data if self._encoding == "zip" else self._deflate.compress(data))

    def _look_into(self, data: bytes) -> None:
        """Hash and count what is inside, never holding more than one piece: a bomb is stopped at the limit."""
        while data and not self._damaged:
            try:
                self._count(self._inflate.decompress(data, _HEAD_BYTES * 16))
            except zlib.error:
                self._damaged = True  # the processor says so of this file; what could be read is kept
                return
            data = self._inflate.unconsumed_tail
            if self._inflate.eof:
                data = self._inflate.unused_data
                self._inflate = zlib.decompressobj(_GZIP_WINDOW)

    def _count(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit_bytes:
            raise UploadTooLargeError(
                f"{self.filename} is larger than {self._limit_bytes} bytes (FG_MAX_FILE_BYTES); split the report"
            )
        self._digest.update(data)
        if len(self._head) < _HEAD_BYTES:
            self._head += data[: _HEAD_BYTES - len(self._head)]


class UploadReceiver:
    """Feed it the request's chunks, then `finish`; `close` frees what it spooled if the request ends otherwise."""

    def __init__(self, boundary: bytes, limits: UploadLimits) -> None:
        self._limits = limits
        self._received_bytes = 0
        self._meta: bytes | None = None
        self._files: list[ReceivedFile] = []
        self._meta_part: bytearray | None = None  # of these two at most one is under way
        self._sink: _FileSink | None = None
        self._form = Form(boundary, opened=self._open, data=self._take, closed=self._close)

    @classmethod
    def for_content_type(cls, content_type: str, limits: UploadLimits) -> "UploadReceiver":
        """A receiver for a request's Content-Type.

        Raises:
            InvalidRequestError: It is not multipart/form-data with a boundary.
        """
        boundary = boundary_of(content_type)
        if boundary is None:
            raise InvalidRequestError("send multipart/form-data with one `meta` part and one or more `junit` files")
        return cls(boundary, limits)

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk of the body.

        Raises:
            InvalidRequestError, UploadTooLargeError, TooManyFilesError: The upload cannot be taken.
        """
        self._received_bytes += len(chunk)
        if self._received_bytes > self._limits.upload_bytes:
            raise UploadTooLargeError(
                f"the upload is larger than {self._limits.upload_bytes} bytes (FG_MAX_UPLOAD_BYTES); send it in parts"
            )
        self._form.feed(chunk)

    def finish(self) -> Received:
        """The whole upload.

        Raises:
            InvalidRequestError: The body ended before its last boundary: nothing of it is taken.
        """
        self._form.finish()
        return Received(self._meta, self._files)

    def close(self) -> None:
        """Free every spool."""
        if self._sink is not None:
            self._sink.close()
        for file in self._files:
            file.content.close()

    def _open(self, head: PartHead) -> None:
        if head.name == "meta":
            if self._meta is not None:
                raise InvalidMetaError("the upload has more than one `meta` part")
            self._meta_part = bytearray()
        elif head.name == "junit":
            if len(self._files) >= self._limits.files:
                raise TooManyFilesError(
                    f"the upload has more than {self._limits.files} files (FG_MAX_UPLOAD_FILES); send it in parts"
                )
            filename = head.filename or f"report-{len(self._files) + 1}.xml"
            self._sink = _FileSink(filename[-_NAME_CHARACTERS:], self._limits.file_bytes)

    def _take(self, data: bytes) -> None:
        if self._sink is not None:
            self._sink.write(data)
        elif self._meta_part is not None:
            self._meta_part.extend(data)
            if len(self._meta_part) > _META_BYTES:
                raise InvalidMetaError(f"the `meta` part is larger than {_META_BYTES} bytes")

    def _close(self) -> None:
        if self._sink is not None:
            self._files.append(self._sink.finish())
        elif self._meta_part is not None:
            self._meta = bytes(self._meta_part)
        self._sink = self._meta_part = None

"""Takes a multipart upload apart while it streams in: hashed, compressed, spooled; memory stays flat.

Sans I/O: `feed` it the body's chunks. A report arrives plain, gzipped or in a zip; plain ones are compressed on the
way, gzipped ones are looked into (for size, digest and a first judgement) but kept as they came.
"""

import hashlib
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import IO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from flakeguard.errors import InvalidMetaError, TooManyFilesError, UploadTooLargeError
from flakeguard.reports.sniffing import can_be_report
from fluxbase.errors import InvalidRequestError

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


@dataclass(slots=True)
class _Part:
    header: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    headers: dict[str, str] = field(default_factory=dict[str, str])
    meta: bytearray | None = None
    sink: _FileSink | None = None


class UploadReceiver:
    """Feed it the request's chunks, then `finish`; `close` frees what it spooled if the request ends otherwise."""

    def __init__(self, boundary: bytes, limits: UploadLimits) -> None:
        self._limits = limits
        self._received_bytes = 0
        self._part = _Part()
        self._meta: bytes | None = None
        self._files: list[ReceivedFile] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._part.header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._part.header[1].extend(data[start:end]),
                "on_header_end": self._header,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_part_end": self._end,
            },
        )
        self._complete = False
        self._parser.set_callback("end", self._mark_complete)

    @classmethod
    def for_content_type(cls, content_type: str, limits: UploadLimits) -> "UploadReceiver":
        """A receiver for a request's Content-Type.

        Raises:
            InvalidRequestError: It is not multipart/form-data with a boundary.
        """
        message = Message()
        message["content-type"] = content_type
        boundary = message.get_param("boundary")
        if message.get_content_type() != "multipart/form-data" or not isinstance(boundary, str) or not boundary:
            raise InvalidRequestError("send multipart/form-data with one `meta` part and one or more `junit` files")
        try:
            return cls(boundary.encode("latin-1", "replace"), limits)
        except FormParserError as error:
            raise InvalidRequestError(f"the multipart body cannot be read: {error}") from None

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
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidRequestError(f"the multipart body is malformed: {error}") from None

    def finish(self) -> Received:
        """The whole upload.

        Raises:
            InvalidRequestError: The body ended before its last boundary: nothing of it is taken.
        """
        if not self._complete:
            raise InvalidRequestError("the multipart body ends before its closing boundary; send it again")
        return Received(self._meta, self._files)

    def close(self) -> None:
        """Free every spool."""
        if self._part.sink is not None:
            self._part.sink.close()
        for file in self._files:
            file.content.close()

    def _mark_complete(self) -> None:
        self._complete = True

    def _begin(self) -> None:
        self._part = _Part()

    def _header(self) -> None:
        name, value = self._part.header
        self._part.headers[name.decode("latin-1").lower()] = value.decode("utf-8", "replace")
        self._part.header = (bytearray(), bytearray())

    def _open(self) -> None:
        name, filename = _disposition(self._part.headers)
        if name == "meta":
            if self._meta is not None:
                raise InvalidMetaError("the upload has more than one `meta` part")
            self._part.meta = bytearray()
        elif name == "junit":
            if len(self._files) >= self._limits.files:
                raise TooManyFilesError(
                    f"the upload has more than {self._limits.files} files (FG_MAX_UPLOAD_FILES); send it in parts"
                )
            fallback = f"report-{len(self._files) + 1}.xml"
            self._part.sink = _FileSink((filename or fallback)[-_NAME_CHARACTERS:], self._limits.file_bytes)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.sink is not None:
            self._part.sink.write(data[start:end])
        elif self._part.meta is not None:
            self._part.meta.extend(data[start:end])
            if len(self._part.meta) > _META_BYTES:
                raise InvalidMetaError(f"the `meta` part is larger than {_META_BYTES} bytes")

    def _end(self) -> None:
        if self._part.sink is not None:
            self._files.append(self._part.sink.finish())
            self._part.sink = None
        elif self._part.meta is not None:
            self._meta = bytes(self._part.meta)


def _disposition(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The field name and file name of a part; control characters of the file name are dropped."""
    message = Message()
    message["content-disposition"] = headers.get("content-disposition", "")
    name = message.get_param("name", header="content-disposition")
    filename = message.get_filename()
    printable = "".join(character for character in filename or "" if character.isprintable())
    return (name if isinstance(name, str) else None), printable or None

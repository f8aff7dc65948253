"""Uploads as they come: a plain report, a gzip of one, or a zip of many."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, BinaryIO, cast

from flakeguard.reports.model import ReportError, ReportErrorCode
from flakeguard.reports.sniffing import can_be_report

_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_ARCHIVES = (_GZIP, *_ZIP, b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd")
_HEAD_BYTES = 4_096
_LITTER = ("__MACOSX/", ".DS_Store", "Thumbs.db")
_DIRECTORY_BYTES = 16 * 1024 * 1024
_END_RECORD = struct.Struct("<4s4H2LH")
_READ_ERRORS = (zlib.error, EOFError, OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may unpack to; `ratio` bounds the growth of a zip's files from `ratio_from_bytes` on."""

    files: int = 10_000
    file_bytes: int = 2 * 1024**3
    total_bytes: int = 4 * 1024**3
    ratio: int = 250
    ratio_from_bytes: int = 32 * 1024 * 1024


DEFAULT_ARCHIVE_LIMITS = ArchiveLimits()


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of an upload: either a stream to read, or the reason why it is refused."""

    name: str
    stream: BinaryIO | None
    error: ReportError | None = None


class UnpackedStream(io.RawIOBase):
    """Reads a packed file up to a limit; can be rewound.

    A packed file that is damaged simply ends where the damage is, for what was before may be worth reading;
    `damage` then says so.
    """

    def __init__(self, packed: IO[bytes], may_reach: Callable[[int], None]) -> None:
        """`may_reach` is asked for every new farthest position and raises `ReportError` when that is too far."""
        self._packed = packed
        self._may_reach = may_reach
        self._position = 0
        self._farthest = 0
        self.damage: str | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """To its start, at least."""
        return True

    def tell(self) -> int:
        """The position in the unpacked file."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, forwards by reading."""
        if whence == io.SEEK_CUR:
            offset += self._position
        elif whence == io.SEEK_END:
            raise io.UnsupportedOperation("the end is not known")
        self._position = self._packed.seek(offset)
        return self._position

    def readinto(self, buffer: object, /) -> int:
        """Fill the buffer.

        Raises:
            ReportError: the file unpacks to too much, or cannot be unpacked at all.
        """
        view = memoryview(cast("bytearray", buffer))
        try:
            data = self._packed.read(len(view))
        except _READ_ERRORS as error:
            if self._position == 0:
                raise ReportError("damaged_archive", f"the archive is damaged: {error}") from error
            self.damage = f"the archive is damaged after {self._position:,} bytes: {error}"
            return 0
        view[: len(data)] = data
        self._position += len(data)
        if self._position > self._farthest:
            self._farthest = self._position
            self._may_reach(self._position)
        return len(data)


def expand(stream: BinaryIO, name: str, limits: ArchiveLimits = DEFAULT_ARCHIVE_LIMITS) -> Iterator[Piece]:
    """The files of an upload, one after the other; read each before asking for the next.

    A file inside a zip that is refused gives a piece with an error; the others are kept. Files of a zip that are
    surely no reports (pictures, logs) are passed over.

    Args:
        stream: the upload; seekable when it is a zip.
        name: its file name, for messages.
        limits: what it may unpack to.
    """
    head, stream = _peek(stream)
    if head.startswith(_GZIP):
        yield from _gzip(stream, name, limits)
    elif head.startswith(_ZIP):
        yield from _zip(stream, name, limits)
    elif _is_archive(head):
        yield _refused(name, "nested_archive", "this kind of archive is not read: use gzip or zip")
    else:
        yield Piece(name, stream)


def _peek(stream: BinaryIO) -> tuple[bytes, BinaryIO]:
    """The first bytes, and a stream that still has them."""
    if stream.seekable():
        start = stream.tell()
        head = stream.read(_HEAD_BYTES)
        stream.seek(start)
        return head, stream
    buffered = io.BufferedReader(cast("io.RawIOBase", stream), _HEAD_BYTES)
    return buffered.peek(_HEAD_BYTES), cast("BinaryIO", buffered)


def _gzip(stream: BinaryIO, name: str, limits: ArchiveLimits) -> Iterator[Piece]:
    """The one file of a gzip."""
    with gzip.GzipFile(fileobj=stream, mode="rb") as packed:
        # Its size alone is bounded: a test that prints the same line for ever compresses a thousandfold.
        unpacked = UnpackedStream(cast("IO[bytes]", packed), lambda position: _check_size(position, limits))
        yield _piece(name.removesuffix(".gz"), unpacked)


def _zip(stream: BinaryIO, name: str, limits: ArchiveLimits) -> Iterator[Piece]:
    """The files of a zip."""
    try:
        _check_directory(stream, limits)
        archive = zipfile.ZipFile(stream)
    except ReportError as error:
        yield Piece(name, None, error)
        return
    except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
        yield _refused(name, "damaged_archive", f"the archive is damaged: {error}")
        return
    total = 0
    with archive:
        for member in archive.infolist():
            if member.is_dir() or any(litter in member.filename for litter in _LITTER):
                continue
            total += member.file_size
            piece = _member(archive, member, limits, total)
            if piece is not None:
                yield piece


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limits: ArchiveLimits, total: int) -> Piece | None:
    """One file of a zip; None when it surely is no report and need not be spoken of."""
    name = member.filename
    if not _is_safe(name):
        return _refused(name, "unsafe_name", "the name leads out of the archive")
    if member.flag_bits & 1:
        return _refused(name, "encrypted", "the file is encrypted")
    if total > limits.total_bytes:
        return _refused(name, "too_large", f"the archive unpacks to more than {limits.total_bytes:,} bytes")
    try:
        _check_member(member.file_size, member.compress_size, limits)
        packed = archive.open(member)
    except ReportError as error:
        return Piece(name, None, error)
    except _READ_ERRORS as error:
        return _refused(name, "damaged_archive", f"the archive is damaged: {error}")
    unpacked = UnpackedStream(packed, lambda position: _check_size(position, limits))
    piece = _piece(name, unpacked)
    return None if _is_something_else(piece) else piece


def _is_something_else(piece: Piece) -> bool:
    """Whether a file is neither called a report nor begins like one."""
    if piece.stream is None or piece.name.lower().endswith(".xml"):
        return False
    return can_be_report(cast("io.BufferedReader", piece.stream).peek(_HEAD_BYTES)) is False


def _piece(name: str, unpacked: UnpackedStream) -> Piece:
    """A piece of the unpacked file, unless it is an archive once more."""
    stream = io.BufferedReader(unpacked, 65_536)
    try:
        head = stream.peek(_HEAD_BYTES)
    except ReportError as error:
        return Piece(name, None, error)
    if _is_archive(head):
        return _refused(name, "nested_archive", "an archive inside an archive is not unpacked")
    return Piece(name, cast("BinaryIO", stream))


def _check_size(position: int, limits: ArchiveLimits) -> None:
    """Refuse what unpacks to more than it may."""
    if position > limits.file_bytes:
        raise ReportError("too_large", f"the file unpacks to more than {limits.file_bytes:,} bytes")


def _check_member(size: int, packed_bytes: int, limits: ArchiveLimits) -> None:
    """Refuse a file of a zip that says that it unpacks to more than it may, or grows too much."""
    _check_size(size, limits)
    if size > limits.ratio_from_bytes and size > limits.ratio * max(1, packed_bytes):
        raise ReportError("too_large", f"the file unpacks to more than {limits.ratio} times its size")


def _check_directory(stream: BinaryIO, limits: ArchiveLimits) -> None:
    """Refuse a zip whose table of contents alone would fill the memory, before it is read."""
    start = stream.tell()
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - _END_RECORD.size - 65_535))
    tail = stream.read()
    stream.seek(start)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_RECORD.size:
        raise zipfile.BadZipFile("it ends too early")
    _, _, _, _, files, directory_bytes, _, _ = _END_RECORD.unpack_from(tail, at)
    if files > limits.files or directory_bytes > _DIRECTORY_BYTES:
        raise ReportError("too_many_files", f"the archive holds more than {limits.files:,} files")


def _is_safe(name: str) -> bool:
    """Whether a member's name stays inside the archive."""
    path = PurePosixPath(name.replace("\\", "/"))
    drive = ":" in path.parts[0] if path.parts else False
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and not drive and "\0" not in name


def _is_archive(head: bytes) -> bool:
    """Whether these are the first bytes of an archive (tar's mark comes after its first name)."""
    return head.startswith(_ARCHIVES) or head[257:262] == b"ustar"


def _refused(name: str, code: ReportErrorCode, message: str) -> Piece:
    """A piece with an error."""
    return Piece(name, None, ReportError(code, message))

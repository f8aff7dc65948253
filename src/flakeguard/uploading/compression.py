"""Compress a file while it is being sent."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 256 * 1024
_LEVEL = 6
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # 16 asks zlib for the gzip container (zlib manual, deflateInit2)
_COMPRESSED_MAGIC = (b"\x1f\x8b", b"PK\x03\x04")


class GzipReader:
    """A readable stream that gives the gzip of a file, holding one chunk of it in memory at a time.

    The container's time is zero: the same file gives the same bytes, so that a repeated upload is recognised.
    It has no length, no `seek` and no `fileno`, which is how the HTTP client knows that it must send the body
    in chunks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._source: BinaryIO | None = None
        self._compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        self._ready = bytearray()
        self._finished = False

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` compressed bytes (all when negative); empty at the end.

        Raises:
            OSError: the file cannot be read.
        """
        while not self._finished and (size < 0 or len(self._ready) < size):
            self._advance()
        taken = bytes(self._ready if size < 0 else self._ready[:size])
        del self._ready[: len(taken)]
        return taken

    def _advance(self) -> None:
        # Opened late: a batch never holds more than one open file.
        source = self._source or self._path.open("rb")
        self._source = source
        if chunk := source.read(_CHUNK_BYTES):
            self._ready += self._compressor.compress(chunk)
            return
        self._ready += self._compressor.flush()
        self.close()

    def close(self) -> None:
        """Close the file; what was not read yet is given up."""
        self._finished = True
        if self._source:
            self._source.close()


class PlainReader(GzipReader):
    """The same for a file that is compressed already: its bytes as they are."""

    def _advance(self) -> None:
        source = self._source or self._path.open("rb")
        self._source = source
        if chunk := source.read(_CHUNK_BYTES):
            self._ready += chunk
        else:
            self.close()


def open_compressed(path: Path, name: str) -> tuple[str, GzipReader, str]:
    """Return the name, the stream and the media type under which a report file is sent.

    The name stays the file's own: the server knows a gzip by its first bytes, and tells the user of `a.xml`.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic.startswith(_COMPRESSED_MAGIC[0]):
        return name, PlainReader(path), "application/gzip"
    if magic.startswith(_COMPRESSED_MAGIC[1]):
        return name, PlainReader(path), "application/zip"
    return name, GzipReader(path), "application/gzip"

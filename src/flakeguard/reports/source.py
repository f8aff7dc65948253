"""A report's bytes as text, from the start as often as needed."""

import re
import tempfile
from collections.abc import Iterator
from typing import IO, BinaryIO

from flakeguard.reports.encodings import HEAD_BYTES, detect_encoding
from flakeguard.reports.model import ReportError

_COPY_BYTES = 131_072
_SPOOLED_BYTES = 4 * 1024 * 1024
_DECLARATION = re.compile(r"\A\s*(?:<\?xml\b[^>]*\?>)?\s*")
_NOTHING = b"\0 \t\r\n\xef\xbb\xbf\xfe\xff"


class Source:
    """The text of one report, in pieces; `pieces` may be called again for another reading."""

    def __init__(self, stream: BinaryIO, chunk_bytes: int) -> None:
        """Look at the first bytes; `chunk_bytes` is how many are read at a time.

        Raises:
            ReportError: the file is empty.
        """
        self._copy = None if stream.seekable() else _copied(stream)
        self._stream: IO[bytes] = self._copy or stream
        self._start = self._stream.tell()
        self._chunk_bytes = chunk_bytes
        head = self._stream.read(HEAD_BYTES)
        if not head.strip(_NOTHING):
            self.close()
            raise ReportError("empty_file", "the file is empty")
        self.encoding = detect_encoding(head)

    def close(self) -> None:
        """Give back the copy on disk, if there is one; the stream itself is its owner's."""
        if self._copy is not None:
            self._copy.close()

    @property
    def damage(self) -> str | None:
        """What was found wrong with the archive that the report came in."""
        raw = getattr(self._stream, "raw", self._stream)
        return getattr(raw, "damage", None)

    def pieces(self, errors: str = "strict") -> Iterator[str]:
        """The document without byte-order mark and XML declaration.

        The declaration is dropped because it describes the bytes, and what is handed on is text.

        Raises:
            UnicodeDecodeError: the bytes are not of the declared encoding, when `errors` is "strict".
        """
        self._stream.seek(self._start + self.encoding.mark_bytes)
        decoder = self.encoding.decoder(errors)
        first = True
        while chunk := self._stream.read(self._chunk_bytes):
            text = decoder.decode(chunk)
            if first and text:
                first = False
                text = _DECLARATION.sub("", text, count=1)
            yield text
        yield decoder.decode(b"", final=True)


def _copied(stream: BinaryIO) -> IO[bytes]:
    """A copy on disk of a stream that cannot be read again."""
    copy = tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES)  # noqa: SIM115 - Source closes it
    while chunk := stream.read(_COPY_BYTES):
        copy.write(chunk)
    copy.seek(0)
    return copy

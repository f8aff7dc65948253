"""Which characters a report is written in: byte-order mark, shape of the first bytes, declaration, UTF-8."""

import codecs
import re
from dataclasses import dataclass

HEAD_BYTES = 4_096
"""How many of a file's first bytes the detection looks at."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SHAPES = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
    (b"\x4c\x6f\xa7\x94", "cp037"),  # "<?xm" in EBCDIC
)
_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._:+-]+)["']""")
_NOT_FOR_DOCUMENTS = {"idna", "mbcs", "oem", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"}


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding found, how many bytes of mark precede the text, and what to warn about."""

    name: str
    mark_bytes: int = 0
    warning: str | None = None

    def decoder(self, errors: str) -> codecs.IncrementalDecoder:
        """A decoder that takes the file in pieces; `errors` as in `bytes.decode`."""
        return codecs.getincrementaldecoder(self.name)(errors)


def detect_encoding(head: bytes) -> Encoding:
    """Find out the encoding from a file's first bytes; UTF-8 when nothing says otherwise."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name, len(mark))
    for shape, name in _SHAPES:
        if head.startswith(shape):
            return Encoding(name)
    match = _DECLARED.match(head)
    if match is None:
        return Encoding("utf-8")
    return _declared_encoding(match.group(1).decode("ascii"))


def _declared_encoding(declared: str) -> Encoding:
    """What a declaration means, seen that the declaration itself could be read byte by byte."""
    try:
        name = codecs.lookup(declared).name
        "a".encode(name)  # refuses codecs that are no text encodings (hex, zlib)
    except (LookupError, ValueError):
        name = ""
    if not name or name.replace("-", "_") in _NOT_FOR_DOCUMENTS:
        return Encoding("utf-8", warning=f"unknown encoding {declared!r}: read as UTF-8")
    if name.startswith(("utf-16", "utf-32")):
        # Written by programs that declare what their strings are in memory (.NET's StringWriter).
        return Encoding("utf-8")
    return Encoding(name)

"""What content is, by its first bytes, and whether that fits what it is said to be. Pure.

This is no scanner: it knows the types that browsers show or that are often mistaken for each other. It keeps a bucket
for images free of programs and pages with another label; a file that is two things at once can still pass.
"""

import mimetypes
import re
from collections.abc import Sequence

HEAD_BYTES = 512
UNKNOWN = "application/octet-stream"

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypqt", "video/quicktime"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"OggS", "application/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"BM", "image/bmp"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"MZ", "application/x-msdownload"),
    (0, b"SQLite format 3\x00", "application/vnd.sqlite3"),
)
_PAGE = re.compile(
    rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype html|html|head|body|script|iframe|svg)\b", re.IGNORECASE | re.DOTALL
)
_KNOWN = frozenset(kind for _, _, kind in _MAGIC)
# Types whose files begin like another one's: documents are zip archives, and so on.
_MADE_OF: dict[str, tuple[str, ...]] = {
    "application/zip": (
        "application/epub+zip",
        "application/java-archive",
        "application/vnd.android.package-archive",
        "application/vnd.oasis.opendocument.",
        "application/vnd.openxmlformats-officedocument.",
        "application/x-zip-compressed",
    ),
    "application/gzip": ("application/x-gzip", "application/x-tgz", "application/x-tar"),
    "application/ogg": ("audio/ogg", "video/ogg", "audio/opus"),
    "video/mp4": ("audio/mp4", "audio/x-m4a", "video/x-m4v", "image/heif", "image/avif", "image/heic", "video/3gpp"),
    "video/webm": ("audio/webm", "video/x-matroska", "audio/x-matroska"),
    "audio/mpeg": ("audio/mp3",),
    "audio/wav": ("audio/x-wav", "audio/wave", "audio/vnd.wave"),
    "image/bmp": ("image/x-ms-bmp",),
    "image/jpeg": ("image/jpg",),
    "application/x-msdownload": ("application/vnd.microsoft.portable-executable",),
    "text/html": ("application/xhtml+xml", "image/svg+xml"),
}
# "BM", "MZ" and the like are also how a text may begin.
_WEAK_MAGIC_BYTES = 2
_BINARY = frozenset(range(0x20)) - frozenset(b"\t\n\r\x0c\x1b")


def sniff(head: bytes) -> str | None:
    """The type that the first `HEAD_BYTES` bytes show; None when they show nothing."""
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset) and (len(magic) > _WEAK_MAGIC_BYTES or not _is_text(head)):
            return kind
    return "text/html" if _PAGE.match(head.removeprefix(b"\xef\xbb\xbf")) else None


def media_type(declared: str | None, name: str, head: bytes) -> str:
    """The type that content is stored under: as declared, or else by its bytes, or else by its name's ending."""
    bare = (declared or "").partition(";")[0].strip().lower()
    if bare and bare != UNKNOWN and re.fullmatch(r"[\w.+-]+/[\w.+-]+", bare, re.ASCII):
        return bare
    return sniff(head) or mimetypes.guess_type(name, strict=False)[0] or UNKNOWN


def is_allowed(kind: str, allowed: Sequence[str]) -> bool:
    """Whether a list such as `image/*, application/pdf` has `kind`."""
    return any(
        pattern in ("*/*", kind) or (pattern.endswith("/*") and kind.startswith(pattern[:-1])) for pattern in allowed
    )


def contradicts(kind: str, head: bytes) -> str | None:
    """What the first bytes show instead of `kind`; None when they fit it, or when neither is known.

    A type that has a signature must show it.
    """
    seen = sniff(head)
    if seen == kind or (seen is not None and kind.startswith(_MADE_OF.get(seen, ()))):
        return None
    if seen is not None:
        return seen
    return "something else" if kind in _KNOWN and head else None


def _is_text(head: bytes) -> bool:
    return _BINARY.isdisjoint(head)

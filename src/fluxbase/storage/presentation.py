"""Headers under which content of strangers is served from our own origin. Pure.

Nothing that was uploaded may run here with a visitor's cookie. So only types that browsers show without running
anything are shown, all others are saved as files; browsers may not guess types; whatever is opened all the same is
sandboxed.
"""

from collections.abc import Mapping
from urllib.parse import quote

from fluxbase.storage.model import StoredObject

_SHOWN = frozenset(
    ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "text/plain", "application/ogg")
)
_SHOWN_KINDS = ("audio/", "video/")
_SANDBOX = "default-src 'none'; sandbox"


def content_headers(stored: StoredObject, *, download: str | None = None) -> Mapping[str, str]:
    """Headers of a GET or HEAD, but for length and range. `download` is a file name to save it under."""
    shown = stored.mime_type in _SHOWN or stored.mime_type.startswith(_SHOWN_KINDS)
    kind = "text/plain; charset=utf-8" if stored.mime_type == "text/plain" else stored.mime_type
    return {
        "Content-Type": kind,
        "Content-Disposition": _disposition(shown and download is None, download or stored.name.rpartition("/")[2]),
        "Content-Security-Policy": _SANDBOX,
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "cross-origin" if stored.public else "same-origin",
        # Caches may keep it, but must ask each time: an object may be replaced, deleted or closed at any moment.
        "Cache-Control": "public, no-cache" if stored.public else "private, no-cache",
        "Accept-Ranges": "bytes",
        "ETag": f'"{stored.etag}"',
    }


def _disposition(inline: bool, filename: str) -> str:  # noqa: FBT001 -- private, and named at its only call
    return f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{quote(filename, safe='')}"

"""Headers that tell browsers what our pages may do: nothing but their own scripts, styles and connections."""

from collections.abc import Sequence

from starlette.types import Scope

# No inline scripts and no inline styles: what an attacker manages to write into a page stays text.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_PAGES = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    # Not no-referrer: with that browsers send `Origin: null` on our own forms, and the CSRF check needs it.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
# What is no page runs nothing and sends nobody anywhere: only how it may be read needs to be said.
_DATA = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
)
_JSON = (b"content-type", b"application/json")
_NO_STORE = (b"cache-control", b"no-store")
_HSTS = ("Strict-Transport-Security", "max-age=31536000")

type Pairs = tuple[tuple[bytes, bytes], ...]


class SecurityHeaders:
    """The headers that a response does not set itself. HSTS only where the public address is https."""

    def __init__(self, *, public_url: str | None = None) -> None:
        always = (_HSTS,) if (public_url or "").lower().startswith("https://") else ()
        self._pages, self._data = _encoded((*_PAGES, *always)), _encoded((*_DATA, *always))
        self._api_pages, self._api_data = (*self._pages, _NO_STORE), (*self._data, _NO_STORE)

    def of(self, scope: Scope, present: Sequence[tuple[bytes, bytes]]) -> Pairs:
        """Those that an answer to this request has unless it sets them itself; `present` is what it sets."""
        if scope["path"].startswith("/api/"):
            return self._api_data if _JSON in present else self._api_pages
        return self._data if _JSON in present else self._pages


def _encoded(pairs: Sequence[tuple[str, str]]) -> Pairs:
    return tuple((name.lower().encode(), value.encode()) for name, value in pairs)

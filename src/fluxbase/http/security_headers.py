"""Headers that tell browsers what our pages may do: nothing but their own scripts, styles and connections."""

from starlette.types import Scope

# No inline scripts and no inline styles: what an attacker manages to write into a page stays text.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_ALWAYS = (
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    # Not no-referrer: with that browsers send `Origin: null` on our own forms, and the CSRF check needs it.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
_CACHE_CONTROL = (b"cache-control", b"no-store")
_HSTS = ("Strict-Transport-Security", "max-age=31536000")


class SecurityHeaders:
    """The headers that a response does not set itself. HSTS only where the public address is https."""

    def __init__(self, *, public_url: str | None = None) -> None:
        secure = (public_url or "").lower().startswith("https://")
        pairs = (*_ALWAYS, _HSTS) if secure else _ALWAYS
        self._pages = tuple((name.lower().encode(), value.encode()) for name, value in pairs)
        self._api = (*self._pages, _CACHE_CONTROL)

    def of(self, scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
        """Those that an answer to this request has unless it sets them itself."""
        return self._api if scope["path"].startswith("/api/") else self._pages

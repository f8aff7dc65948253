"""Headers that tell browsers what our pages may do: nothing but their own scripts, styles and connections."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
    """Add the headers that a response does not set itself. HSTS only where the public address is https."""

    def __init__(self, app: ASGIApp, *, public_url: str | None = None) -> None:
        self.app = app
        secure = (public_url or "").lower().startswith("https://")
        pairs = (*_ALWAYS, _HSTS) if secure else _ALWAYS
        self._headers = tuple((name.lower().encode(), value.encode()) for name, value in pairs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
                present = {name.lower() for name, _ in headers}
                headers += [pair for pair in self._headers if pair[0] not in present]
                if scope["path"].startswith("/api/") and _CACHE_CONTROL[0] not in present:
                    headers.append(_CACHE_CONTROL)
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, add)

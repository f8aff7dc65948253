"""One log event a request. Headers' names and keys' prefixes, never secrets; paths without their query."""

import logging
import time

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fluxbase.http.credentials import credential_label
from fluxbase.monitoring.logging import ACCESS_LOGGER

logger = structlog.get_logger(ACCESS_LOGGER)

_QUIET = ("/health", "/metrics", "/static/")
_SERVER_ERROR = 500


class AccessLog:
    """Log method, path, status, duration, client and credential of each request when it is over."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status, size = time.perf_counter(), 500, 0

        async def watch(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            _write(scope, status, size, time.perf_counter() - started)


def _write(scope: Scope, status: int, size: int, seconds: float) -> None:
    if not logging.getLogger().isEnabledFor(logging.INFO):
        return
    headers = Headers(scope=scope)
    log = logger.debug if scope["path"].startswith(_QUIET) and status < _SERVER_ERROR else logger.info
    fields = {
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
        "bytes": size,
        "client": scope.get("fluxbase", {}).get("client"),
        "credential": credential_label(headers),
        "user_agent": headers.get("user-agent", "")[:200] or None,
    }
    log("request", **{name: value for name, value in fields.items() if value is not None})

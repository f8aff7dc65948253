"""One log event a request, two a WebSocket. Names and prefixes, never secrets; paths without their query."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fluxbase.durations import milliseconds_since
from fluxbase.http.context import client_address
from fluxbase.http.credentials import credential_label
from fluxbase.http.head import head_of
from fluxbase.monitoring.logging import ACCESS_LOGGER

logger = structlog.get_logger(ACCESS_LOGGER)

_QUIET = ("/health", "/metrics", "/static/")
_SERVER_ERROR = 500
_GONE = 1006


def log_request(scope: Scope, status: int, seconds: float, size_bytes: int) -> None:
    """Log method, path, status, duration, client and credential of a request that is over."""
    quiet = scope["path"].startswith(_QUIET) and status < _SERVER_ERROR
    told = {"status": status, "duration_ms": round(seconds * 1000, 1), "bytes": size_bytes}
    _write("request", scope, told, quiet=quiet)


async def log_socket(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run a WebSocket: a request of status 101 when it opens, and `socket closed` when it ends."""
    started, opened, code = time.perf_counter(), False, _GONE

    async def watch(message: Message) -> None:
        nonlocal opened, code
        if message["type"] == "websocket.accept" and not opened:
            opened = True
            _write("request", scope, {"status": 101, "duration_ms": milliseconds_since(started)})
        elif message["type"] == "websocket.close":
            code = message.get("code", 1000)
        await send(message)

    async def hear() -> Message:
        nonlocal code
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code") or code
        return message

    try:
        await app(scope, hear, watch)
    finally:
        if opened:
            _write("socket closed", scope, {"code": code, "duration_ms": milliseconds_since(started)})
        else:
            _write("request", scope, {"status": 403, "duration_ms": milliseconds_since(started)})


def _write(event: str, scope: Scope, told: Mapping[str, Any], *, quiet: bool = False) -> None:
    if not logging.getLogger().isEnabledFor(logging.INFO):
        return
    headers, is_socket = head_of(scope), scope["type"] == "websocket"
    fields = {
        "method": "GET" if is_socket else scope["method"],
        "path": scope["path"],
        **told,
        "client": client_address(HTTPConnection(scope)),
        "credential": credential_label(headers, QueryParams(scope["query_string"]) if is_socket else None),
        "user_agent": headers.get("user-agent", "")[:200] or None,
    }
    log = logger.debug if quiet else logger.info
    log(event, **{name: value for name, value in fields.items() if value is not None})

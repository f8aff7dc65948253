"""What stands around every request, in one pass.

As a chain of eight middlewares, each with closures of its own, it cost as much as the rest of a small request together.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fluxbase.http.access_log import log_request, log_socket
from fluxbase.http.context import RequestContext, add_context_headers
from fluxbase.http.errors import ErrorResponder
from fluxbase.http.security_headers import SecurityHeaders
from fluxbase.monitoring.http import count_request
from fluxbase.monitoring.metrics import Metrics

type Step = Callable[[Scope, Receive], Awaitable[Receive]]
"""Lets a request pass or raises; answers what the next one receives from."""


@dataclass(slots=True)
class _Answer:
    """What was sent so far."""

    status: int = 500
    size_bytes: int = 0
    started: bool = False


class Surround:
    """ASGI middleware: request ids, access log, metrics, security headers, errors as responses; `steps` in order."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        context: RequestContext,
        metrics: Metrics,
        security: SecurityHeaders,
        responder: ErrorResponder,
        steps: Sequence[Step],
    ) -> None:
        self.app = app
        self._context = context
        self._metrics = metrics
        self._security = security
        self._responder = responder
        self._steps = steps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        with structlog.contextvars.bound_contextvars(request_id=self._context.enter(scope)):
            if kind == "http":
                await self._request(scope, receive, send)
            else:
                await log_socket(self.app, scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, answer = time.perf_counter(), _Answer()

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.started, answer.status = True, message["status"]
                self._security.add(scope, message)
                add_context_headers(scope, message)
            elif message["type"] == "http.response.body":
                answer.size_bytes += len(message.get("body", b""))
            await send(message)

        self._metrics.http_in_flight.inc()
        try:
            await self._guarded(scope, receive, tell, answer)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.http_in_flight.dec()
            count_request(self._metrics, scope, answer.status, seconds)
            log_request(scope, answer.status, seconds, answer.size_bytes)

    async def _guarded(self, scope: Scope, receive: Receive, tell: Send, answer: _Answer) -> None:
        """What no handler took becomes a response here, never a torn connection without a reason."""
        try:
            for step in self._steps:
                receive = await step(scope, receive)
            await self.app(scope, receive, tell)
        except Exception as error:  # the last line of defence; nothing is swallowed, all of it is logged or answered
            response = self._responder.respond(Request(scope, receive), error)
            if answer.started:  # too late for another status: the client sees the connection break
                raise
            await response(scope, receive, tell)

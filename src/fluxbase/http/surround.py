"""What stands around every request, in one pass.

As a chain of eight middlewares, each with closures of its own, it cost as much as the rest of a small request together.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

from fluxbase.http.access_log import log_request, log_socket
from fluxbase.http.context import RequestContext, context_headers
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


@dataclass(frozen=True, slots=True)
class Surround:
    """Request ids, access log, metrics, security headers, errors as responses; `steps` in order."""

    context: RequestContext
    metrics: Metrics
    security: SecurityHeaders
    responder: ErrorResponder
    steps: Sequence[Step]

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let `app` handle one ASGI connection."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        bound = bind_contextvars(request_id=self.context.enter(scope))
        try:
            if kind == "http":
                await self._request(app, scope, receive, send)
            else:
                await log_socket(app, scope, receive, send)
        finally:
            reset_contextvars(**bound)

    async def _request(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        started, answer = time.perf_counter(), _Answer()

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.started, answer.status = True, message["status"]
                message["headers"] = self._complete(scope, message)
            elif message["type"] == "http.response.body":
                answer.size_bytes += len(message.get("body", b""))
            await send(message)

        self.metrics.in_flight += 1
        try:
            await self._guarded(app, scope, receive, tell, answer)
        finally:
            seconds = time.perf_counter() - started
            self.metrics.in_flight -= 1
            count_request(self.metrics, scope, answer.status, seconds)
            log_request(scope, answer.status, seconds, answer.size_bytes)

    def _complete(self, scope: Scope, message: Message) -> list[tuple[bytes, bytes]]:
        headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
        present = {name.lower() for name, _ in headers}
        headers += [pair for pair in self.security.of(scope, headers) if pair[0] not in present]
        headers += context_headers(scope)
        return headers

    async def _guarded(self, app: ASGIApp, scope: Scope, receive: Receive, tell: Send, answer: _Answer) -> None:
        """What no handler took becomes a response here, never a torn connection without a reason."""
        try:
            for step in self.steps:
                receive = await step(scope, receive)
            await app(scope, receive, tell)
        except Exception as error:  # the last line of defence; nothing is swallowed, all of it is logged or answered
            response = self.responder.respond(Request(scope, receive), error)
            if answer.started:  # too late for another status: the client sees the connection break
                raise
            await response(scope, receive, tell)

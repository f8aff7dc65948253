"""Count and time every request by its route's template, never by its address: ids would make endless series."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fluxbase.monitoring.metrics import Metrics

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class HttpMetrics:
    """ASGI middleware that feeds the `fluxbase_http_…` metrics."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self._metrics.http_in_flight.track_inprogress():
            try:
                await self.app(scope, receive, watch)
            finally:
                self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        path = getattr(scope.get("route"), "path", None) or "(no route)"
        self._metrics.http_requests.labels(method, path, status).inc()
        self._metrics.http_duration.labels(method, path).observe(seconds)

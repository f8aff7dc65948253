"""How uvicorn is to speak WebSockets for this room."""

from typing import Any, override

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ABORT = "fluxbase.abort"
PING_SECONDS, PONG_TIMEOUT_SECONDS = 15.0, 60.0
MAX_MESSAGE_BYTES = 256 * 1024
_CLOSE_SECONDS = 1.0


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's own, whose connections can be cut off.

    Closing waits until the other side has taken what was written to it. A client that never reads never does, and its
    socket and buffers would stay.
    """

    @override
    async def run_asgi(self) -> None:
        """Hand the application a way to cut the connection off, as the extension `fluxbase.abort`.

        Uvicorn logs the address of every WebSocket with its query, where browsers carry their token. So the application
        alone gets the query.
        """
        application = self.app
        told: Any = {**self.scope, "extensions": {**(self.scope.get("extensions") or {}), ABORT: self.abort}}
        self.scope["query_string"] = b""

        async def with_query(_scope: Any, receive: Any, send: Any) -> None:
            await application(told, receive, send)

        self.app = with_query
        await super().run_asgi()

    def abort(self) -> None:
        """Cut the connection off, with whatever was not written yet."""
        self.transport.abort()

    @override
    def keepalive_timeout(self) -> None:
        """No pong came in time: whatever is still unsent will not be read either."""
        super().keepalive_timeout()
        self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)


# Compression would cost tens of kilobytes for each idle connection.
WEBSOCKET_OPTIONS: dict[str, Any] = {
    "ws": WebSocketProtocol,
    "ws_ping_interval": PING_SECONDS,
    "ws_ping_timeout": PONG_TIMEOUT_SECONDS,
    "ws_max_size": MAX_MESSAGE_BYTES,
    "ws_per_message_deflate": False,
}

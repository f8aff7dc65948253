"""`GET /realtime`: a WebSocket that speaks Fluxbase's own protocol."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from fluxbase.auth.callers import Caller, caller_of
from fluxbase.http import client_address, cookies
from fluxbase.http.csrf import check_origin
from fluxbase.http.problem import problem_of
from fluxbase.realtime import protocol
from fluxbase.realtime.answering import Answering
from fluxbase.realtime.connection import FORBIDDEN, SLOW, TRY_AGAIN_LATER, UNAUTHENTICATED, Connection
from fluxbase.realtime.outbox import Outbox
from fluxbase.realtime.registry import TooManyConnectionsError
from fluxbase.realtime.service import Realtime, realtime_of
from fluxbase.realtime.transport import ABORT

logger = structlog.get_logger(__name__)

_FLUSH_SECONDS = 1.0


async def realtime_socket(websocket: WebSocket) -> None:
    """Serve one client until it or we close."""
    realtime = realtime_of(websocket)
    try:
        caller = await _caller(websocket, realtime)
    except Exception as error:  # noqa: BLE001 -- answered as a closing code, and logged when it is none of ours
        await _refuse(websocket, error)
        return
    await Client(websocket, realtime, caller).serve()


async def _caller(websocket: WebSocket, realtime: Realtime) -> Caller:
    caller = await caller_of(websocket)
    if "cookie" in websocket.headers and cookies.session_token(websocket) is not None:
        check_origin(websocket.headers, realtime.settings.public_url)
    caller.require("realtime:read")
    await realtime.assure(caller)
    return caller


async def _refuse(websocket: WebSocket, error: Exception) -> None:
    problem = problem_of(error)
    code = {401: UNAUTHENTICATED, 403: FORBIDDEN}.get(problem.status, TRY_AGAIN_LATER)
    if problem.unexpected:
        logger.error("connection failed", exc_info=error)
    try:
        await websocket.accept()
        await websocket.send_text(protocol.error(problem.code, problem.message))
        await websocket.close(code, problem.code)
    except (WebSocketDisconnect, RuntimeError):
        return  # gone already
    logger.info("connection closed", code=code, reason=problem.code, client=client_address(websocket))


class Client:
    """One socket: what it sends is answered, what it hears is written, and it is closed when told."""

    def __init__(self, websocket: WebSocket, realtime: Realtime, caller: Caller) -> None:
        self._websocket = websocket
        self._realtime = realtime
        self._closer: asyncio.Task[None] | None = None
        self._code = 1000
        outbox = Outbox(self._write, realtime.settings.realtime_slow_client_threshold)
        self._connection = Connection(
            caller,
            realtime.hub.groups.of(caller.claims),
            client_address(websocket) or "",
            outbox,
            encode=realtime.encode,
            close=self._close,
        )

    async def serve(self) -> None:
        """Until the end of the connection."""
        await self._websocket.accept()
        try:
            await self._enter()
            await self._listen()
        finally:
            await self._end()

    async def _enter(self) -> None:
        connection = self._connection
        try:
            await self._realtime.admission.enter(connection)
        except TooManyConnectionsError as error:
            logger.warning("too many connections", limit=error.setting, client=connection.address)
            connection.send(protocol.error(error.code, str(error)))
            connection.close(TRY_AGAIN_LATER, str(error))

    async def _listen(self) -> None:
        answering = Answering(self._realtime, self._connection)
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                self._code = message.get("code") or self._code
                return
            if self._connection.closing is None:
                await answering.answer(message.get("text"))

    async def _end(self) -> None:
        connection = self._connection
        change = self._realtime.remove(connection)
        connection.outbox.close()
        if connection.closing is None:
            connection.closing = "by the client"
        if connection.closing == SLOW:
            self._realtime.metrics.realtime_slow_clients.inc()
        logger.info(
            "connection closed", code=self._code, reason=connection.closing, client=connection.address,
            user_id=connection.user, sent=connection.sent,
        )  # fmt: skip
        if self._closer is not None:
            await asyncio.wait((self._closer,), timeout=2 * _FLUSH_SECONDS)
        await self._realtime.publish_change(change)

    async def _write(self, message: str) -> None:
        try:
            await self._websocket.send({"type": "websocket.send", "text": message})
            self._realtime.metrics.realtime_messages.inc()
        except (WebSocketDisconnect, RuntimeError):
            self._connection.closing = self._connection.closing or "by the client"

    def _close(self, code: int, reason: str) -> None:
        self._code = code
        self._closer = asyncio.create_task(self._say_goodbye(code, reason))

    async def _say_goodbye(self, code: int, reason: str) -> None:
        """Write what waits, then the closing frame; whoever does not take them within a second is cut off."""
        connection = self._connection
        if reason != SLOW:
            await connection.outbox.flush(_FLUSH_SECONDS)
        connection.outbox.close()
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._websocket.close(code, reason)
        except TimeoutError:
            self._abort()
        except (WebSocketDisconnect, RuntimeError):
            return  # gone already

    def _abort(self) -> None:
        extensions: dict[str, Any] = self._websocket.scope.get("extensions") or {}
        abort: Callable[[], None] | None = extensions.get(ABORT)
        if abort is not None:
            abort()

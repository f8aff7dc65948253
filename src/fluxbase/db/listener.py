"""LISTEN on a connection of its own, which comes back by itself when PostgreSQL does."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import structlog

from fluxbase.db.outages import OUTAGES

logger = structlog.get_logger(__name__)

type Handler = Callable[[str], Awaitable[None] | None]

_FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS = 0.2, 5.0
_ASK_EVERY_SECONDS, _ANSWER_SECONDS = 60.0, 10.0


class Listener:
    """Calls `handler(payload)` for each notification on `channel`, and `handler("")` after every (re)connection.

    The empty call is because notifications sent while nobody listened are gone: the handler looks for itself.
    """

    def __init__(self, dsn: str, channel: str, handler: Handler) -> None:
        self._dsn = dsn
        self._channel = channel
        self._handler = handler

    async def run(self) -> None:
        """Listen until cancelled."""
        await keep_listening(self._channel, self._listen_once)

    async def _listen_once(self) -> None:
        inbox: asyncio.Queue[str | None] = asyncio.Queue()

        def hear(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            inbox.put_nowait(str(payload))

        connection = await asyncpg.connect(self._dsn)
        try:
            connection.add_termination_listener(lambda _connection: inbox.put_nowait(None))
            await connection.add_listener(self._channel, hear)
            inbox.put_nowait("")
            while (payload := await _next(inbox, connection)) is not None:
                outcome = self._handler(payload)
                if outcome is not None:
                    await outcome
        finally:
            connection.terminate()


async def keep_listening(channel: str, listen_once: Callable[[], Awaitable[None]]) -> None:
    """Listen until cancelled: `listen_once`, which ends with its connection, is done again after a growing pause."""
    delay = _FIRST_DELAY_SECONDS
    while True:
        try:
            await listen_once()
            delay = _FIRST_DELAY_SECONDS
        except OUTAGES as error:
            logger.warning("connection closed", channel=channel, error=str(error), retry_seconds=delay)
        await asyncio.sleep(delay)
        delay = min(delay * 2, _LONGEST_DELAY_SECONDS)


async def _next(inbox: asyncio.Queue[str | None], connection: "asyncpg.Connection[asyncpg.Record]") -> str | None:
    """The next payload. Something between us and the server may drop an idle connection without telling either."""
    while True:
        try:
            async with asyncio.timeout(_ASK_EVERY_SECONDS):
                return await inbox.get()
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=_ANSWER_SECONDS)

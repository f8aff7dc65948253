"""How writers wake a reader, without paying for it while it is awake.

A commit with a NOTIFY holds a lock of the whole server until it is on disk: commits queue up behind each other
(measured: 8 connections fell to a sixth). So a reader that is awake polls, and only one that is about to sleep asks for
notifications: it holds a shared advisory lock, which `realtime.wake()` looks at. A writer writes its changes before it
looks. So whoever saw nobody asleep is a running transaction in every snapshot taken after the lock was had, or is over
and seen by it; a reader sleeps only when that snapshot has no running transaction.
"""

import asyncio

import asyncpg
import structlog

from fluxbase.db import OUTAGES, SERVICE
from fluxbase.db.listener import keep_listening

logger = structlog.get_logger(__name__)

CHANNEL = "fluxbase_changes"
_LIE_DOWN = "SELECT pg_advisory_lock_shared(1718383992, 1)"  # the numbers of realtime.wake()
_STAND_UP = "SELECT pg_advisory_unlock_shared(1718383992, 1)"
_PATIENCE_SECONDS = 5.0
_SETTINGS = {"role": SERVICE.role, "jit": "off"}


class Doorbell:
    """A connection of the service role's that comes back by itself; while it is away the reader does not sleep."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.connection: asyncpg.Connection[asyncpg.Record] | None = None
        self.rung = asyncio.Event()
        self.asleep = False

    @property
    def connected(self) -> bool:
        """Whether it could ring."""
        return self.connection is not None

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        await keep_listening(CHANNEL, self._listen_once)

    async def _listen_once(self) -> None:
        gone = asyncio.Event()
        connection = await asyncpg.connect(self._dsn, command_timeout=_PATIENCE_SECONDS, server_settings=_SETTINGS)
        try:
            connection.add_termination_listener(lambda _connection: gone.set())
            await connection.add_listener(CHANNEL, self._hear)
            self.connection = connection
            await gone.wait()
            logger.warning("connection closed", channel=CHANNEL)
        finally:
            self.connection, self.asleep = None, False
            self.rung.set()  # the reader must look for itself now
            connection.terminate()

    def _hear(self, *_notification: object) -> None:
        self.rung.set()

    async def lie_down(self) -> None:
        """Ask writers to ring from now on. Without a connection nothing happens: the reader stays awake."""
        await self._say(_LIE_DOWN, asleep=True)

    async def stand_up(self) -> None:
        """Tell writers that nobody needs to be woken."""
        self.rung.clear()
        if self.asleep:
            await self._say(_STAND_UP, asleep=False)

    async def _say(self, statement: str, *, asleep: bool) -> None:
        connection = self.connection
        if connection is None:
            return
        try:
            await connection.execute(statement)
        except OUTAGES as error:
            logger.warning("connection closed", channel=CHANNEL, error=str(error))
            connection.terminate()
        else:
            self.asleep = asleep and self.connection is connection

"""Reads the change table: whatever the last snapshot did not see and this one does, so nothing is skipped.

Ids are given out when a statement runs and become visible when its transaction commits, which is another order; a
reader that remembers the highest id it saw loses what commits late. So the position is a snapshot. Rows of a
transaction are new when it was running, or not begun, in the last snapshot, and is over in the next. Among the new ones
ids order the changes of any one row as they happened, because the second writer of a row waits for the first to commit.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager

import asyncpg
import structlog

from fluxbase.db import OUTAGES, SERVICE, Connection, Database
from fluxbase.realtime.dispatch import Delivery, Dispatcher
from fluxbase.realtime.doorbell import Doorbell
from fluxbase.realtime.events import Change, ChangeType, Version
from fluxbase.realtime.hub import Hub
from fluxbase.realtime.retention import RETENTION_SECONDS
from fluxbase.realtime.tables import SQL

logger = structlog.get_logger(__name__)

PAGE = 500
PAGE_CHARACTERS = 8 * 1024 * 1024
"""Rows may be large: no more of them at once than this."""
_PATIENCE_SECONDS = 20.0
_POLL_SECONDS = 0.015
"""Between looks while awake."""
_AWAKE_SECONDS = 1.0
"""After the last change, or the last ring."""
_LOOK_ANYWAY_SECONDS = 5.0
_RETRY_SECONDS = 0.5


class Reader:
    """Follows the change table of one database for one process."""

    def __init__(self, database: Database, dsn: str, hub: Hub, dispatcher: Dispatcher) -> None:
        self._database = database
        self._hub = hub
        self._dispatcher = dispatcher
        self._doorbell = Doorbell(dsn)
        self._reading = asyncio.Lock()
        self._snapshot: str | None = None
        self._upper: str | None = None
        self._last_id = 0
        self._read_at = time.monotonic()
        self._awake_until = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def listening(self) -> bool:
        """Whether a writer could wake this reader."""
        return self._doorbell.connected

    async def start(self) -> None:
        """Begin after what is committed now."""
        async with self._database.transaction(SERVICE) as connection:
            self._snapshot = await connection.fetchval(SQL["current_snapshot"])
        self._read_at = time.monotonic()
        self._run()

    def _run(self) -> None:
        self._tasks = [
            asyncio.create_task(self._doorbell.run(), name="realtime doorbell"),
            asyncio.create_task(self._follow(), name="realtime reader"),
        ]

    async def stop(self) -> None:
        """Stop listening; the position is kept."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def restart(self) -> None:
        """Listen on a new connection, from where the old one had come to."""
        await self.stop()
        self._run()

    async def settled(self) -> None:
        """Wait for a read under way, which does not know yet of a topic that was added to the hub just now."""
        async with self._reading:
            pass

    async def _follow(self) -> None:
        while True:
            try:
                await self._read_all()
            except Exception as error:  # a fault of ours in one change must not end all the others
                if isinstance(error, OUTAGES):
                    logger.warning("changes not read", error=f"{type(error).__name__}: {error}")
                    await asyncio.sleep(_RETRY_SECONDS)
                else:
                    logger.exception("changes skipped")
                    await self._skip()
                    await asyncio.sleep(_RETRY_SECONDS)
            else:
                await self._wait()

    async def _skip(self) -> None:
        """Go on behind what cannot be handed over, and let everybody read their tables again."""
        if self._upper is not None:
            self._snapshot, self._upper, self._last_id = self._upper, None, 0
        await self._dispatcher.tell_of_gap()

    async def _wait(self) -> None:
        """Until there is something to read, or may be."""
        bell, now = self._doorbell, time.monotonic()
        if bell.asleep and not _has_running(self._snapshot):
            if await _set_within(bell.rung, _LOOK_ANYWAY_SECONDS):
                self._awake_until = time.monotonic() + _AWAKE_SECONDS
                await bell.stand_up()
        elif now < self._awake_until or bell.asleep or not bell.connected:
            await asyncio.sleep(_POLL_SECONDS)
        else:
            bell.rung.clear()
            await bell.lie_down()  # and look once more, for those who saw nobody asleep

    async def _read_all(self) -> None:
        async with self._reading:
            more = True
            while more:
                changes, more = await self._page()
                if changes:
                    self._awake_until = time.monotonic() + _AWAKE_SECONDS
                    await _finished(self._give(changes, await self._dispatcher.judge(changes)))
            self._snapshot, self._upper, self._last_id = self._upper, None, 0

    async def _page(self) -> tuple[list[Change], bool]:
        """The next changes, and whether there may be more.

        They end at a snapshot that stays the same until all of them were given, whatever interrupts.
        """
        place = (self._snapshot, self._upper, self._last_id)
        async with self._connection() as connection:
            *rows, end = await connection.fetch(
                SQL["changes_since"], *place, self._hub.topics(), PAGE, PAGE_CHARACTERS, timeout=_PATIENCE_SECONDS
            )
        if self._upper is None:
            self._upper = end["snapshot"]
            await self._notice_gap(time.monotonic(), went_back=_end(end["snapshot"]) < _end(self._snapshot))
        return [_change(row) for row in rows], end["more"]

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        """The doorbell's: one round trip a look, and no waiting for the pool when requests use all of it."""
        if (own := self._doorbell.connection) is not None:
            try:
                yield own
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                # It would not answer the next time either; and asyncpg may close a connection and tell nobody.
                if isinstance(error, TimeoutError) or own.is_closed():
                    own.terminate()
                raise
            return
        async with self._database.transaction(SERVICE) as connection:
            yield connection

    async def _notice_gap(self, now: float, *, went_back: bool) -> None:
        """After a restored backup, or when a standby took over, new transactions have numbers that look old."""
        if went_back or now - self._read_at > RETENTION_SECONDS:
            logger.warning("changes may have been missed", seconds=round(now - self._read_at), went_back=went_back)
            await self._dispatcher.tell_of_gap()
        self._read_at = now

    async def _give(self, changes: Sequence[Change], deliveries: Sequence[list[Delivery]]) -> None:
        for change, some in zip(changes, deliveries, strict=True):
            self._last_id = change.id
            await self._dispatcher.hand_over(some)


async def _finished(work: Coroutine[None, None, None]) -> None:
    """Do `work` to its end, also when we are cancelled meanwhile: half a page must not be given twice, nor never."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _end(snapshot: str | None) -> int:
    """The first transaction that had not begun: what a snapshot has between its colons."""
    return int(snapshot.split(":")[1]) if snapshot is not None else 0


def _has_running(snapshot: str | None) -> bool:
    """Whether a transaction was running: the part of a snapshot after its second colon names them."""
    return snapshot is None or not snapshot.endswith(":")


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _change(row: asyncpg.Record) -> Change:
    return Change(
        id=row["id"],
        topic=row["topic"],
        type=ChangeType(row["type"]),
        at=row["at"],
        record=Version(row["record"]) if row["record"] is not None else None,
        old_record=Version(row["old_record"]) if row["old_record"] is not None else None,
        details=row["details"],
    )

"""Which connection a transaction gets: asyncpg's pool makes them, and those used last stay at hand.

Taking a connection out of asyncpg's pool costs a timeout, and giving it back a task and a timer: together more than the
statement between them. What is at hand changes owners without either. Once a minute all of it goes back to asyncpg,
which renews what is worn and closes what nobody needs.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any

import asyncpg

_MINUTE = 60.0


class Pool:
    """Connections of one process to one database; at most `max_size` of `pool`."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._at_hand: list[Any] = []
        self._in_use = 0
        self._waiters: deque[asyncio.Future[Any]] = deque()
        self._minute: asyncio.TimerHandle | None = None
        self._giving_back = set[asyncio.Task[None]]()
        self._closing = False

    def get_size(self) -> int:
        """Open connections."""
        return self._pool.get_size()

    def get_max_size(self) -> int:
        """The most there may be."""
        return self._pool.get_max_size()

    def get_idle_size(self) -> int:
        """Open connections that nobody uses."""
        return self._pool.get_idle_size() + len(self._at_hand)

    @property
    def waiting(self) -> int:
        """How many wait for a connection now."""
        return len(self._waiters)

    async def acquire(self, timeout_seconds: float = 30) -> Any:
        """A connection, for `release` or `discard`.

        Raises:
            TimeoutError: None became free in time.
            OSError, asyncpg.PostgresError: A new one could not be opened.
        """
        loop, ends = asyncio.get_running_loop(), None
        while True:
            if self._at_hand:
                connection = self._at_hand.pop()
                self._in_use += 1
            else:
                ends = ends or loop.time() + timeout_seconds
                connection = await self._place_or_connection(ends)
                if connection is None:
                    return await self._opened(ends - loop.time())
            if _is_open(connection):
                return connection
            await self.discard(connection)

    def release(self, connection: Any) -> None:
        """Take back a connection that is as it was: outside of a transaction, with nothing left of its user's."""
        if (waiter := self._next_waiter()) is not None:
            waiter.set_result(connection)  # it stays in use: nobody else may think that there is room
            return
        self._in_use -= 1
        if self._closing:
            self._give(connection)
            return
        self._at_hand.append(connection)
        if self._minute is None:
            self._minute = asyncio.get_running_loop().call_later(_MINUTE, self._give_back)

    async def discard(self, connection: Any) -> None:
        """Take back a connection that may be broken, cancelled or changed: asyncpg resets it, or makes another."""
        try:
            await self._pool.release(connection)
        finally:
            self._leave_place()

    async def close(self) -> None:
        """Wait for what is in use, then close every connection."""
        self._closing = True
        if self._minute is not None:
            self._minute.cancel()
        self._give_back()
        await self._pool.close()

    async def _place_or_connection(self, ends: float) -> Any:
        """A connection that somebody hands over; None when there is a place for a new one, which is ours."""
        if self._in_use < self._pool.get_max_size():
            self._in_use += 1
            return None
        return await self._handed_over(ends)

    async def _opened(self, timeout_seconds: float) -> Any:
        try:
            return await self._pool.acquire(timeout=timeout_seconds)
        except BaseException:
            self._leave_place()
            raise

    def _leave_place(self) -> None:
        """Whoever waits longest may open a connection; the place stays in use, lest somebody who just came takes it."""
        if (waiter := self._next_waiter()) is not None:
            waiter.set_result(None)
        else:
            self._in_use -= 1

    async def _handed_over(self, ends: float) -> Any:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Any] = loop.create_future()
        self._waiters.append(waiter)
        timer = loop.call_at(ends, _time_out, waiter)
        try:
            return await waiter
        except BaseException as error:
            with suppress(ValueError):
                self._waiters.remove(waiter)
            if isinstance(error, asyncio.CancelledError):
                self._pass_on(waiter)
            raise
        finally:
            timer.cancel()

    def _pass_on(self, waiter: "asyncio.Future[Any]") -> None:
        """Whoever waited was cancelled at the moment it was given something: the next one gets it."""
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            connection = waiter.result()
            if connection is not None:
                self.release(connection)
            else:
                self._leave_place()

    def _next_waiter(self) -> "asyncio.Future[Any] | None":
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                return waiter
        return None

    def _give_back(self) -> None:
        self._minute = None
        for connection in self._at_hand:
            self._give(connection)
        self._at_hand.clear()

    def _give(self, connection: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._pool.release(connection))
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)


def _is_open(connection: Any) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        return False  # the server ended it, and asyncpg has cleared it away


def _time_out(waiter: "asyncio.Future[Any]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError("no connection to PostgreSQL became free in time"))

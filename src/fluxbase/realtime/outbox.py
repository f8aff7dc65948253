"""What waits to be sent to one client. Bounded: a client that never reads must not fill our memory."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable

OVERFLOW_TIMES_THRESHOLD = 10
MAX_WAITING_BYTES = 4 * 1024 * 1024

type Send = Callable[[str], Awaitable[None]]


class Outbox:
    """Messages in order, written by a task that lives only while there are some.

    From `threshold` waiting messages on the client is slow, and `slow_since` says since when. At ten times as many, or
    4 MiB, the outbox overflows: `put` answers False, and the client is to be dropped.
    """

    def __init__(self, send: Send, threshold: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self._threshold = threshold
        self._clock = clock
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self.slow_since: float | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: str) -> bool:
        """Add a message; False when there is no room for it."""
        size = sys.getsizeof(message)  # of memory, which is up to four bytes a character
        if self._is_full(size):
            return False
        self._waiting.append(message)
        self._bytes += size
        if len(self._waiting) >= self._threshold and self.slow_since is None:
            self.slow_since = self._clock()
        if self._task is None:
            self._task = asyncio.create_task(self._write())
        return True

    def _is_full(self, more: int) -> bool:
        if not self._waiting:
            return False  # one message may be as large as it likes
        return (
            len(self._waiting) >= self._threshold * OVERFLOW_TIMES_THRESHOLD or self._bytes + more > MAX_WAITING_BYTES
        )

    async def _write(self) -> None:
        try:
            while self._waiting:
                message = self._waiting.popleft()
                self._bytes -= sys.getsizeof(message)
                await self._send(message)
                if len(self._waiting) < self._threshold:
                    self.slow_since = None
        finally:
            self._task = None

    async def flush(self, seconds: float) -> None:
        """Wait for what is waiting to be written, but no longer than `seconds`."""
        task = self._task
        if task is not None:
            await asyncio.wait((task,), timeout=seconds)

    def close(self) -> None:
        """Drop what waits and stop writing."""
        self._waiting.clear()
        self._bytes = 0
        if self._task is not None:
            self._task.cancel()

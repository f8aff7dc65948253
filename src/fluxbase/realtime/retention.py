"""Old changes are deleted: in small batches, by one process at a time, and none that a reader may still have to see."""

import time
from collections import deque

from fluxbase.db import SERVICE, Database
from fluxbase.realtime.tables import SQL
from fluxbase.repeating import repeat

RETENTION_SECONDS = 600.0
"""How long a process may be away from the database without missing changes."""
_EVERY_SECONDS = 30.0
_BATCH = 5_000


class Retention:
    """Deletes what every transaction had committed before `RETENTION_SECONDS`.

    The age of a row is that of the first snapshot that sees it, not of its statement: a transaction may run for an hour
    and commit now, and readers have not seen its rows.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._snapshots: deque[tuple[float, str]] = deque()

    async def run(self) -> None:
        """Clean until cancelled."""
        await repeat("realtime retention", lambda: self.clean(time.monotonic()), every_seconds=_EVERY_SECONDS)

    async def clean(self, now: float) -> int:
        """Delete what is old at `now` (seconds of one clock), and return how many rows that were."""
        async with self._database.transaction(SERVICE) as connection:
            self._snapshots.append((now, await connection.fetchval(SQL["current_snapshot"])))
        old: str | None = None
        while self._snapshots and self._snapshots[0][0] <= now - RETENTION_SECONDS:
            old = self._snapshots.popleft()[1]
        if old is None:
            return 0
        total = 0
        while deleted := await self._delete_some(old):
            total += deleted
        return total

    async def _delete_some(self, old: str) -> int:
        async with self._database.transaction(SERVICE) as connection:
            if not await connection.fetchval(SQL["lock_cleaning"]):
                return 0
            done: str = await connection.execute(SQL["delete_changes"], old, _BATCH)
        return int(done.rpartition(" ")[2])

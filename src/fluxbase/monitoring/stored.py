"""How much is stored, counted now and then: a count reads an index of every object, and monitors ask all the time."""

import asyncio
import time

from fastapi import FastAPI

from fluxbase.db import Database
from fluxbase.storage.health import StorageStats, storage_stats

COUNT_EVERY_SECONDS = 10.0


class Stored:
    """The counts of one process. Who asks while one counts waits for that count."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: StorageStats | None = None
        self._counted_at = 0.0
        self._lock = asyncio.Lock()

    async def count(self) -> StorageStats:
        """Counts that are at most `COUNT_EVERY_SECONDS` old.

        Raises:
            OSError, asyncpg.PostgresError: PostgreSQL cannot be reached.
        """
        async with self._lock:
            if self._counted is None or time.monotonic() - self._counted_at >= COUNT_EVERY_SECONDS:
                self._counted = await storage_stats(self._database)
                self._counted_at = time.monotonic()
            return self._counted


def stored_of(app: FastAPI) -> Stored:
    """The application's counts, made when first asked for."""
    stored: Stored | None = getattr(app.state, "stored", None)
    if stored is None:
        stored = app.state.stored = Stored(app.state.resources.database)
    return stored

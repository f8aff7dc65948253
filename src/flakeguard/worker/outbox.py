"""Work owed: rows that live from the transaction that made the work until the transaction that finishes it.

The relay puts what is owed on BullMQ, and puts it there again when it stays unfinished for long, so that flushing or
losing Redis loses nothing. BullMQ ignores a job id that it still holds, and processors are idempotent.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from redis.exceptions import RedisError

from flakeguard.worker.jobs import Priority
from flakeguard.worker.publishing import Publisher
from flakeguard.worker.queues import DEFAULT_PRIORITY, QUEUES
from fluxbase.db import Connection, load
from fluxbase.db.listener import Listener
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)
_SQL = load(__package__)

CHANNEL = "flakeguard_outbox"
ENQUEUE_AGAIN_AFTER = timedelta(seconds=60)
_BATCH = 200
_LOOK_EVERY_SECONDS = 5.0


async def owe(
    connection: Connection,
    *,
    queue: str,
    name: str,
    job_id: str,
    data: Mapping[str, Any],
    correlation_id: str | None,
    priority: Priority | None = None,
) -> None:
    """Owe a job within the caller's transaction; the relay is woken when that commits. The same id is owed once."""
    await connection.execute(_SQL["owe"], queue, name, job_id, data, correlation_id, priority or DEFAULT_PRIORITY)
    await connection.execute(_SQL["wake_relay"])


async def settle(connection: Connection, job_id: str) -> bool:
    """The job is done, in the transaction that did it; False when it was done already."""
    return await connection.fetchval(_SQL["settle"], job_id) is not None


async def count_delivery(connection: Connection, job_id: str) -> int:
    """A worker takes the job over from one that died: how often one has by now; 0 when it is not owed (any more)."""
    return await connection.fetchval(_SQL["count_delivery"], job_id) or 0


async def revive(connection: Connection, job_id: str) -> bool:
    """Owe a dead job again, and let its upload go on; False when it is not dead."""
    row = await connection.fetchrow(_SQL["revive"], job_id)
    if row is None:
        return False
    if row["ingestion_id"]:
        await connection.execute(_SQL["reopen_ingestion"], UUID(row["ingestion_id"]))
    await connection.execute(_SQL["wake_relay"])
    return True


async def dead_jobs(connection: Connection) -> list[Mapping[str, Any]]:
    """Jobs that were given up, with why, oldest first."""
    return [dict(row) for row in await connection.fetch(_SQL["dead_jobs"])]


class Relay:
    """Moves what is owed to the queues."""

    def __init__(self, resources: Resources, publisher: Publisher) -> None:
        self._resources = resources
        self._publisher = publisher
        self._due = asyncio.Event()

    async def run(self) -> None:
        """Relay until cancelled: when woken, and every few seconds in case a wake-up was lost."""
        listener = Listener(self._resources.addresses.runtime_dsn, CHANNEL, lambda _payload: self._due.set())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listener.run())
            tasks.create_task(self._relay_for_ever())

    async def _relay_for_ever(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_LOOK_EVERY_SECONDS):
                    await self._due.wait()
            except TimeoutError:
                pass  # the regular look
            self._due.clear()
            try:
                while await self.relay_once() == _BATCH:
                    pass
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, RedisError, TimeoutError) as error:
                logger.warning("outbox waits for its servers", error=str(error))
                await asyncio.sleep(1)

    async def relay_once(self) -> int:
        """Put one batch on the queues; how many rows it held.

        Work for a queue that this version does not know (a newer one made it) is left for who knows it.
        """
        database = self._resources.database
        again = self._resources.now() - ENQUEUE_AGAIN_AFTER
        # Claimed in a transaction of its own: a Redis that is slow must not keep rows locked that jobs want to settle.
        async with database.transaction() as connection:
            rows = await connection.fetch(_SQL["claim_due"], again, _BATCH, list(QUEUES), self._resources.now())
        rows.sort(key=lambda row: row["id"])
        published = 0
        try:
            for row in rows:
                await self._publisher.publish(
                    row["queue"], row["name"], row["data"], job_id=row["job_id"], priority=row["priority"]
                )
                published += 1
        finally:
            if left := [row["id"] for row in rows[published:]]:
                async with database.transaction() as connection:
                    await connection.execute(_SQL["put_back"], left)
        return len(rows)

"""One analysis of a project at a time; who waits for a turn holds no connection for long, and fails late."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from flakeguard.analysis.repository import SQL
from fluxbase.db import Connection, Database, Queries

_LONGEST_WAIT_SECONDS = 600.0
_LOCK_WAIT = "2s"
_PAUSE_SECONDS = 0.3


class BusyProjectError(TimeoutError):
    """Other analyses of the project left no turn for this one."""


@asynccontextmanager
async def turn(database: Database, lock: str, of: object, *, queries: Queries = SQL) -> AsyncGenerator[Connection]:
    """A transaction that alone analyses a project; `lock` names the query that takes its lock for the argument `of`.

    Others who want turns at something of their own bring their `queries`.

    The lock is waited for in its queue, so that turns are fair, but each time only for two seconds: a connection that
    waits is one that nobody else has, and a statement that waits too long looks like a server that is ill.

    Raises:
        BusyProjectError: It was nobody's turn but others' for ten minutes.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _LONGEST_WAIT_SECONDS
    while True:
        async with database.transaction() as connection:
            if await _locked(connection, queries[lock], of):
                yield connection
                return
        if loop.time() > deadline:
            raise BusyProjectError("other analyses of the project left no turn for this one")
        await asyncio.sleep(_PAUSE_SECONDS)


async def _locked(connection: Connection, lock: str, of: object) -> bool:
    await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
    try:
        await connection.execute(lock, of)
    except asyncpg.LockNotAvailableError:
        return False  # the transaction is void, and its end a rollback
    await connection.execute("SET LOCAL lock_timeout = 0")
    return True

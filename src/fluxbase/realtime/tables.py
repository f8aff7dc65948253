"""Tables that go live, and what a role may read of them."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fluxbase.db import SERVICE, Claims, Connection, Database, load
from fluxbase.errors import InvalidRequestError
from fluxbase.realtime.errors import TableNotLiveError
from fluxbase.realtime.filters import Kind, kind_of
from fluxbase.realtime.owners import owner_columns

SQL = load(__package__)
EVENTS = ("INSERT", "UPDATE", "DELETE")
MOST_REMEMBERED = 1_000
_LONGEST_NAME_BYTES = 63


type _Key = tuple[str, str, str]
"""Role, schema and name."""


@dataclass(frozen=True, slots=True)
class EnabledTable:
    """A table with triggers, and the events that they write."""

    schema: str
    name: str
    events: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The public shape."""
        return {"schema": self.schema, "table": self.name, "events": list(self.events)}


@dataclass(frozen=True, slots=True)
class LiveTable:
    """A table as one role sees it.

    Attributes:
        condition: The policies for SELECT as one expression; `true` and `false` need no question.
        columns: The names of all there are: a row that lacks one was recorded before the table was altered.
        readable: The columns that the role may read; their kinds say how they compare.
        is_whole: Whether the role may read all there are and will be.
        policy_columns: What the condition reads of a row; None when it may read anything.
        plan_keeps: Whether one plan of the condition may serve all claims.
        owner_columns: Those of them that must be the listener's `auth.uid()`.
    """

    oid: int
    schema: str
    name: str
    topic: str
    condition: str
    events: frozenset[str]
    columns: frozenset[str]
    readable: Mapping[str, Kind]
    is_whole: bool
    policy_columns: tuple[str, ...] | None
    owner_columns: frozenset[str] = frozenset()
    plan_keeps: bool = False


async def enabled_tables(
    connection: Connection, schema: str | None = None, name: str | None = None
) -> list[EnabledTable]:
    """All tables with triggers, or the one that is named."""
    return [_enabled(row) for row in await connection.fetch(SQL["live_tables"], schema, name)]


def _enabled(row: Any) -> EnabledTable:
    return EnabledTable(row["schema"], row["name"], tuple(event for event in EVENTS if event in row["events"]))


async def set_events(connection: Connection, schema: str, name: str, events: Sequence[str]) -> None:
    """Give a table the triggers for `events`, and take all others; none at all when it is empty.

    Raises:
        TableNotLiveError: There is no such table.
        InvalidRequestError: An event is none of INSERT, UPDATE and DELETE.
    """
    if unknown := [event for event in events if event not in EVENTS]:
        raise InvalidRequestError(f"Events are INSERT, UPDATE and DELETE, not {', '.join(unknown)}.")
    oid = await connection.fetchval(SQL["find_table"], schema, name)
    if oid is None:
        raise TableNotLiveError(f"There is no table {schema}.{name}.")
    await connection.execute(SQL["set_events"], oid, list(events))


class Tables:
    """Descriptions of tables by role, remembered for `ttl_seconds`: that long a change of rights may take to hold."""

    def __init__(self, database: Database, *, ttl_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._known: OrderedDict[_Key, tuple[float, LiveTable]] = OrderedDict()
        self._looking: dict[_Key, asyncio.Task[LiveTable | None]] = {}

    def __len__(self) -> int:
        return len(self._known)

    async def find(self, role: str, schema: str, name: str, *, fresh: bool = False) -> LiveTable | None:
        """The table as `role` sees it; None when it does not exist or the role may read nothing of it."""
        key = (role, schema, name)
        until, table = self._known.get(key, (0.0, None))
        if not (_is_name(schema) and _is_name(name)):
            return None
        if fresh:
            return await self._look(key)
        return table if until > self._clock() else await self._look_together(key)

    async def _look_together(self, key: _Key) -> LiveTable | None:
        """Look once for all who ask meanwhile: after a restart thousands subscribe to one table."""
        task = self._looking.get(key)
        if task is None:
            task = self._looking[key] = asyncio.create_task(self._look(key))
            task.add_done_callback(lambda _: self._looking.pop(key, None))
        return await asyncio.shield(task)

    async def _look(self, key: _Key) -> LiveTable | None:
        table = await self._describe(*key)
        self._keep(key, table)
        return table

    def _keep(self, key: _Key, table: LiveTable | None) -> None:
        """Clients may name what they like: what does not exist is not remembered, and of all else the latest."""
        self._known.pop(key, None)
        if table is not None:
            self._known[key] = (self._clock() + self._ttl_seconds, table)
            while len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)

    def forget(self) -> None:
        """Look anew at the next question."""
        self._known.clear()

    async def _describe(self, role: str, schema: str, name: str) -> LiveTable | None:
        async with self._database.transaction(Claims(role)) as connection:
            row = await connection.fetchrow(SQL["describe"], schema, name)
        return _table(row, schema, name) if row is not None and row["readable"] else None


def _is_name(text: str) -> bool:
    """Whether anything in PostgreSQL may have this name."""
    try:
        return 0 < len(text.encode()) <= _LONGEST_NAME_BYTES and "\0" not in text
    except UnicodeEncodeError:
        return False


def _table(row: Any, schema: str, name: str) -> LiveTable:
    readable: dict[str, str] = row["readable"]
    return LiveTable(
        oid=row["oid"],
        schema=schema,
        name=name,
        topic=row["topic"],
        condition=row["condition"],
        events=frozenset(row["events"]),
        columns=frozenset(row["columns"]),
        readable={column: kind_of(type_name) for column, type_name in readable.items()},
        is_whole=row["whole"],
        policy_columns=None if row["opaque"] else tuple(row["policy_columns"]),
        owner_columns=owner_columns(row["condition"]),
        plan_keeps=row["plan_keeps"],
    )


async def list_enabled(database: Database) -> list[EnabledTable]:
    """All tables with triggers."""
    async with database.transaction(SERVICE) as connection:
        return await enabled_tables(connection)

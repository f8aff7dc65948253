"""Which recorded rows may be seen by whom: asked once for listeners with equal claims, and remembered for a while.

The policies are judged on the row *as it was recorded*, by evaluating their expressions over it as the role of the
listener (`realtime.visible_records`). What the row has become since, or that it is gone, does not matter; so deletes
are told, and nobody is told of a version that was never theirs to see. An answer holds for every row that agrees in
the columns that the policies read: where a policy is `owner = auth.uid()`, the second row of the same owner asks
nothing. Policies that may read more than columns are asked once for each content of a row.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import batched

import asyncpg
import structlog

from fluxbase.db import Claims, Connection, Database
from fluxbase.realtime.claims import Group
from fluxbase.realtime.events import Version
from fluxbase.realtime.outages import will_pass
from fluxbase.realtime.tables import SQL, LiveTable

logger = structlog.get_logger(__name__)

type Key = tuple[object, ...]
type Question = tuple[Group, Version]
type Pair = tuple[Group, Key]

_PATIENCE = "5s"
_TIMES = 2
_REST_SECONDS = 30.0
_GROUPS_IN_A_QUERY = 500
_QUERIES_FOR_FAULTS = 100
_LONG_TEXT = 100


class UnjudgedError(Exception):
    """The policies of a table took too long, or failed for too many rows."""


class OutdatedTableError(Exception):
    """The table or its policies are not those that were described, or a row was recorded before they were."""


class RightsCache:
    """Answers, the least recently used forgotten first; each holds for `ttl_seconds`."""

    def __init__(self, size: int, ttl_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._answers: OrderedDict[Key, tuple[float, bool]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Key) -> bool | None:
        """The answer, if it is known and fresh."""
        until, visible = self._answers.get(key, (0.0, False))
        if until <= self._clock():
            return None
        self._answers.move_to_end(key)
        return visible

    def put(self, key: Key, *, visible: bool) -> None:
        """Remember an answer."""
        if self._size:
            self._answers[key] = (self._clock() + self._ttl_seconds, visible)
            self._answers.move_to_end(key)
            while len(self._answers) > self._size:
                self._answers.popitem(last=False)

    def clear(self) -> None:
        """Forget all of them."""
        self._answers.clear()


@dataclass(slots=True)
class _Inquiry:
    """What is asked of one table for one role; `left` is how many queries may still go into finding faults."""

    table: LiveTable
    role: str
    texts: Mapping[Key, str]
    faults: set[Pair] = field(default_factory=set[Pair])
    left: int = _QUERIES_FOR_FAULTS


class Visibility:
    """Asks the policies, through the cache."""

    def __init__(
        self, database: Database, cache: RightsCache, *, patience: str = _PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._database = database
        self._cache = cache
        self._patience = patience
        self._clock = clock
        self._resting: dict[tuple[int, str], float] = {}
        self.queries = 0

    async def visible(self, table: LiveTable, role: str, questions: Iterable[Question]) -> set[Question]:
        """Those of `questions` whose answer is yes. Whoever's policy fails is shown nothing, as by SELECT.

        Raises:
            UnjudgedError: The policies take too long, or fail again and again.
            OutdatedTableError: What `table` says of the policies, or of the rows, is not so (any more).
            OSError, asyncpg.PostgresError: PostgreSQL cannot be asked; nothing was decided.
        """
        if table.condition in ("true", "false"):
            return set(questions) if table.condition == "true" else set()
        allowed, open_questions = set[Question](), dict[Group, dict[Key, list[Version]]]()
        parts: dict[Version, Key] = {}
        for group, version in questions:
            part = parts.get(version)
            if part is None:
                part = parts[version] = _part(table, version)
            answer = self._cache.get(_key(table, group, part))
            if answer:
                allowed.add((group, version))
            elif answer is None:
                open_questions.setdefault(group, {}).setdefault(part, []).append(version)
        for some in batched(open_questions.items(), _GROUPS_IN_A_QUERY):
            await self._decide(table, role, dict(some), allowed)
        return allowed

    async def _decide(
        self, table: LiveTable, role: str, asked: Mapping[Group, Mapping[Key, list[Version]]], allowed: set[Question]
    ) -> None:
        rows = {part: versions[0] for parts in asked.values() for part, versions in parts.items()}
        texts = {part: _row(table, version) for part, version in rows.items()}
        inquiry = _Inquiry(table, role, texts)
        yes = await self._ask(inquiry, {group: tuple(parts) for group, parts in asked.items()})
        for group, parts in asked.items():
            for part, versions in parts.items():
                visible = (group, part) in yes
                if (group, part) not in inquiry.faults:
                    self._cache.put(_key(table, group, part), visible=visible)
                if visible:
                    allowed.update((group, version) for version in versions)

    async def _ask(self, inquiry: _Inquiry, asked: Mapping[Group, tuple[Key, ...]]) -> set[Pair]:
        try:
            return await self._ask_in_time(inquiry, asked)
        except asyncpg.PostgresError as error:
            if will_pass(error):
                raise
            await self._require_current(inquiry)  # a policy may fail because it is not the one that was described
            return await self._ask_for_less(inquiry, asked, error)

    async def _ask_in_time(self, inquiry: _Inquiry, asked: Mapping[Group, tuple[Key, ...]]) -> set[Pair]:
        """Time is nobody's fault: once more, and when that does not help the table is left alone for a while."""
        place = (inquiry.table.oid, inquiry.role)
        if self._resting.get(place, 0.0) > self._clock():
            raise UnjudgedError
        for _ in range(_TIMES):
            try:
                return await self._query(inquiry, asked)
            except asyncpg.QueryCanceledError as error:
                logger.warning("policy too slow", table=_name(inquiry.table), error=f"{error}")
        self._resting[place] = self._clock() + _REST_SECONDS
        raise UnjudgedError

    async def _query(self, inquiry: _Inquiry, asked: Mapping[Group, tuple[Key, ...]]) -> set[Pair]:
        texts = {part: inquiry.texts[part] for parts in asked.values() for part in parts}
        places = {part: place for place, part in enumerate(texts)}
        groups, parts = list(asked), list(texts)
        requests = [{"claims": group.text, "records": [places[part] for part in asked[group]]} for group in groups]
        self.queries += 1
        async with self._database.transaction(Claims(inquiry.role)) as connection:
            await connection.execute(SQL["begin_check"], self._patience)
            rows = await connection.fetch(
                SQL["visible_records"],
                inquiry.table.oid,
                f"[{','.join(texts.values())}]",
                json.dumps(requests),
                inquiry.table.plan_keeps,
            )
            # Asked afterwards, so that what answered is known: no policies but those that were described.
            await _require_same(inquiry.table, connection)
        return {(groups[row["request"]], parts[row["place"]]) for row in rows}

    async def _require_current(self, inquiry: _Inquiry) -> None:
        async with self._database.transaction(Claims(inquiry.role)) as connection:
            await _require_same(inquiry.table, connection)

    async def _ask_for_less(
        self, inquiry: _Inquiry, asked: Mapping[Group, tuple[Key, ...]], error: Exception
    ) -> set[Pair]:
        """One row or one group's claims spoil the question for all: find out which, and show that one to nobody."""
        pairs = [(group, part) for group, parts in asked.items() for part in parts]
        if len(pairs) == 1:
            logger.warning("policy failed", table=_name(inquiry.table), error=f"{error}")
            inquiry.faults.add(pairs[0])
            return set()
        half, yes = len(pairs) // 2, set[Pair]()
        for some in (pairs[:half], pairs[half:]):
            if not inquiry.left:
                raise UnjudgedError from error
            inquiry.left -= 1
            smaller: dict[Group, tuple[Key, ...]] = {}
            for group, part in some:
                smaller[group] = (*smaller.get(group, ()), part)
            yes |= await self._ask(inquiry, smaller)
        return yes


async def _require_same(table: LiveTable, connection: Connection) -> None:
    if await connection.fetchval(SQL["condition"], table.oid) != table.condition:
        raise OutdatedTableError


def _name(table: LiveTable) -> str:
    return f"{table.schema}.{table.name}"


def _part(table: LiveTable, version: Version) -> Key:
    """What of a row the answer depends on. A column that it lacks would be NULL to the policies."""
    if not version.values.keys() >= table.columns:
        raise OutdatedTableError
    if table.policy_columns is None:
        return (version.digest,)
    values = version.values
    return tuple(_hashable(values.get(column)) for column in table.policy_columns)


def _hashable(value: object) -> object:
    # 1, 1.0 and True are equal in Python and are not in JSON.
    if isinstance(value, str) and len(value) > _LONG_TEXT:
        return blake2b(value.encode(), digest_size=32).digest()
    return (type(value), value) if isinstance(value, str | int | None) else json.dumps(value, default=str)


def _row(table: LiveTable, version: Version) -> str:
    """The row as JSON, no wider than the policies need it."""
    if table.policy_columns is None:
        return version.text
    values = version.values
    return json.dumps({column: values.get(column) for column in table.policy_columns}, default=str)


def _key(table: LiveTable, group: Group, part: Key) -> Key:
    # The digest and not the group, of which another may come to lie at the same place in memory.
    return (group.digest, table.oid, table.condition, *part)

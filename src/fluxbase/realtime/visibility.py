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
from itertools import batched

import asyncpg
import structlog

from fluxbase.db import Claims, Database
from fluxbase.realtime.claims import Group
from fluxbase.realtime.events import Version
from fluxbase.realtime.tables import SQL, LiveTable

logger = structlog.get_logger(__name__)

type Key = tuple[object, ...]
type Question = tuple[Group, Version]

_PATIENCE = "5s"
_GROUPS_IN_A_QUERY = 500
# Faults of a policy or of a value, not of the connection: the row is not shown, and nothing is tried again.
_FAULTS = (asyncpg.DataError, asyncpg.SyntaxOrAccessError, asyncpg.RaiseError, asyncpg.QueryCanceledError,
           asyncpg.IntegrityConstraintViolationError)  # fmt: skip


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


class Visibility:
    """Asks the policies, through the cache."""

    def __init__(self, database: Database, cache: RightsCache) -> None:
        self._database = database
        self._cache = cache
        self.queries = 0

    async def visible(self, table: LiveTable, role: str, questions: Iterable[Question]) -> set[Question]:
        """Those of `questions` whose answer is yes.

        Raises:
            OSError, asyncpg.PostgresError: PostgreSQL cannot be asked; nothing was decided.
        """
        if table.condition in ("true", "false"):
            return set(questions) if table.condition == "true" else set()
        allowed, open_questions = set[Question](), dict[Group, dict[Key, list[Version]]]()
        for group, version in questions:
            part = _part(table, version)
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
        texts = {part: _row(table, versions[0]) for parts in asked.values() for part, versions in parts.items()}
        yes = await self._ask(table, role, {group: tuple(parts) for group, parts in asked.items()}, texts)
        for group, parts in asked.items():
            for part, versions in parts.items():
                visible = (group, part) in yes
                self._cache.put(_key(table, group, part), visible=visible)
                if visible:
                    allowed.update((group, version) for version in versions)

    async def _ask(
        self, table: LiveTable, role: str, asked: Mapping[Group, tuple[Key, ...]], texts: Mapping[Key, str]
    ) -> set[tuple[Group, Key]]:
        places = {part: place for place, part in enumerate(texts)}
        groups = list(asked)
        requests = [{"claims": group.text, "records": [places[part] for part in asked[group]]} for group in groups]
        try:
            self.queries += 1
            async with self._database.transaction(Claims(role)) as connection:
                await connection.execute(SQL["begin_check"], _PATIENCE)
                rows = await connection.fetch(
                    SQL["visible_records"], table.oid, f"[{','.join(texts.values())}]", json.dumps(requests)
                )
        except _FAULTS as error:
            return await self._ask_one_by_one(table, role, asked, texts, error)
        parts = list(texts)
        return {(groups[row["request"]], parts[row["place"]]) for row in rows}

    async def _ask_one_by_one(
        self, table: LiveTable, role: str, asked: Mapping[Group, tuple[Key, ...]], texts: Mapping[Key, str],
        error: Exception,
    ) -> set[tuple[Group, Key]]:  # fmt: skip
        """One row or one group's claims spoil the question for all: find out which, and show that one to nobody."""
        pairs = [(group, part) for group, parts in asked.items() for part in parts]
        if len(pairs) == 1:
            logger.warning("policy failed", table=f"{table.schema}.{table.name}", error=f"{error}")
            return set()
        half, yes = len(pairs) // 2, set[tuple[Group, Key]]()
        for some in (pairs[:half], pairs[half:]):
            smaller: dict[Group, tuple[Key, ...]] = {}
            for group, part in some:
                smaller[group] = (*smaller.get(group, ()), part)
            yes |= await self._ask(table, role, smaller, {part: texts[part] for _, part in some})
        return yes


def _part(table: LiveTable, version: Version) -> Key:
    """What of a row the answer depends on."""
    if table.policy_columns is None:
        return (version.digest,)
    values = version.values
    return tuple(_hashable(values.get(column)) for column in table.policy_columns)


def _hashable(value: object) -> object:
    # 1, 1.0 and True are equal in Python and are not in JSON.
    return (type(value), value) if isinstance(value, str | int | None) else json.dumps(value, default=str)


def _row(table: LiveTable, version: Version) -> str:
    """The row as JSON, no wider than the policies need it."""
    if table.policy_columns is None:
        return version.text
    values = version.values
    return json.dumps({column: values.get(column) for column in table.policy_columns}, default=str)


def _key(table: LiveTable, group: Group, part: Key) -> Key:
    # The text and not the group, of which another may come to lie at the same place in memory.
    return (group.text, table.oid, table.condition, *part)

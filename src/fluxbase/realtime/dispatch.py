"""From recorded changes to the listeners that may see them."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from fluxbase.realtime.events import (
    ROW_CHANGES,
    Broadcast,
    BulkChanged,
    Change,
    ChangeType,
    Event,
    RowChanged,
    Version,
)
from fluxbase.realtime.hub import CHANNEL_TOPIC, EVENTS_BETWEEN_BREATHS, Hub
from fluxbase.realtime.index import Interest, Listener, Owners, Subscription, TopicIndex
from fluxbase.realtime.outages import will_pass
from fluxbase.realtime.owners import owners_of
from fluxbase.realtime.payloads import bulk_payload, row_payload, sent_by_sql
from fluxbase.realtime.tables import LiveTable, Tables
from fluxbase.realtime.visibility import OutdatedTableError, Question, UnjudgedError, Visibility

logger = structlog.get_logger(__name__)

GAP = "gap"

type Place = tuple[str, str]
"""A table's topic and a role."""
type Delivery = tuple[Listener, Event]


@dataclass(slots=True)
class _Judgement:
    """What is known of the tables and rows of some changes, by role. Of `unjudged` tables nobody is told their rows."""

    seen: dict[Place, LiveTable] = field(default_factory=dict[Place, LiveTable])
    allowed: set[Question] = field(default_factory=set[Question])
    unjudged: set[Place] = field(default_factory=set[Place])


class Dispatcher:
    """Judges changes for this process' listeners, and hands them over."""

    def __init__(self, hub: Hub, tables: Tables, visibility: Visibility) -> None:
        self._hub = hub
        self._tables = tables
        self._visibility = visibility
        self._given = 0

    async def judge(self, changes: Sequence[Change]) -> list[list[Delivery]]:
        """For each change, what to hand to whom. Nothing has been handed over when this fails.

        A change that cannot be handled takes nothing with it: whoever listens to its table reads that again.

        Raises:
            OSError, asyncpg.PostgresError: PostgreSQL cannot be asked about rights.
        """
        try:
            return await self._judge(changes)
        except Exception as error:
            if will_pass(error):
                raise
            logger.warning("changes are judged one by one", error=f"{type(error).__name__}: {error}")
        return [await self._judge_alone(change) for change in changes]

    async def _judge_alone(self, change: Change) -> list[Delivery]:
        try:
            return (await self._judge([change]))[0]
        except Exception as error:
            if will_pass(error):
                raise
            logger.exception("change not told", topic=change.topic, change=change.id)
            index = self._hub.table_index(change.topic)
            return list(_gap(index, index)) if index is not None else []

    async def _judge(self, changes: Sequence[Change]) -> list[list[Delivery]]:
        judgement, interests = await self._judge_by_tables_of_now(changes)
        found = [
            list(_deliveries(self._hub, change, interest, judgement))
            for change, interest in zip(changes, interests, strict=True)
        ]
        for topic, role in judgement.unjudged:
            index = self._hub.table_index(topic)
            if index is not None:
                found[-1].extend(_gap(index, (one for one in index if one.listener.group.role == role)))
        return found

    async def _judge_by_tables_of_now(self, changes: Sequence[Change]) -> tuple[_Judgement, list[Interest]]:
        """Look at tables anew that were altered since they were described; rows from before that are not judged."""
        renewed = set[Place]()
        while True:
            judgement = await self._look_at_tables(changes, renewed)
            interests = [self._interested(change, judgement) for change in changes]
            outdated = await self._ask(changes, interests, judgement)
            if outdated <= renewed:
                judgement.unjudged |= outdated
                return judgement, interests
            renewed |= outdated

    async def hand_over(self, deliveries: Iterable[Delivery]) -> None:
        """Give events to their listeners, with a breath now and then in which sockets are written."""
        for listener, event in deliveries:
            try:
                listener.deliver(event)
            except Exception:  # a part of this program that fails is no reason to tell the others nothing
                logger.exception("event not delivered", channel=event.channel)
            self._given += 1
            if self._given % EVENTS_BETWEEN_BREATHS == 0:
                await asyncio.sleep(0)

    async def tell_of_gap(self) -> None:
        """Changes may have been missed: who listens to a table reads it again, and parts of this program look too."""
        for index in self._hub.table_indexes():
            await self.hand_over(_gap(index, tuple(index)))
        for channel in self._hub.internal_channels():
            await self._hub.send(channel, BulkChanged(channel, (), json.dumps({"reason": GAP})))

    def _interested(self, change: Change, judgement: _Judgement) -> Interest:
        index = self._hub.table_index(change.topic)
        return _interested(index, change, judgement) if index is not None else {}

    async def _look_at_tables(self, changes: Sequence[Change], fresh: set[Place]) -> _Judgement:
        judgement = _Judgement()
        for topic in {change.topic for change in changes}:
            index = self._hub.table_index(topic)
            if index is None:
                continue
            for role in tuple(index.roles):
                found = await self._tables.find(role, index.schema, index.name, fresh=(topic, role) in fresh)
                if found is not None:
                    judgement.seen[topic, role] = found
        return judgement

    async def _ask(self, changes: Sequence[Change], interests: Sequence[Interest], judgement: _Judgement) -> set[Place]:
        """Fill in who may see what; returns the places whose tables are not as they were described."""
        asked, outdated = dict[Place, set[Question]](), set[Place]()
        for change, interest in zip(changes, interests, strict=True):
            if change.type not in ROW_CHANGES:
                continue
            versions = [version for version in (change.record, change.old_record) if version is not None]
            for group in interest:
                place = (change.topic, group.role)
                if place in judgement.seen:
                    asked.setdefault(place, set()).update((group, version) for version in versions)
        for place, questions in asked.items():
            try:
                judgement.allowed |= await self._visibility.visible(judgement.seen[place], place[1], questions)
            except UnjudgedError:
                judgement.unjudged.add(place)
            except OutdatedTableError:
                outdated.add(place)
        return outdated


def _interested(index: TopicIndex, change: Change, judgement: _Judgement) -> Interest:
    if change.type not in ROW_CHANGES:
        return index.of_operation(json.loads(change.details or "{}").get("operation", "DELETE"))
    # An update that takes a row out of somebody's sight is a delete to them, of the row as it was.
    sides = {"UPDATE": change.record, "DELETE": change.old_record}
    if change.type is ChangeType.INSERT:
        sides = {"INSERT": change.record}
    rows = {name: version.values for name, version in sides.items() if version is not None}
    return index.interested(rows, _owners(index, change, judgement))


def _owners(index: TopicIndex, change: Change, judgement: _Judgement) -> Owners:
    """Who alone may see a row, for the roles whose policies show it to its owner alone."""
    found: dict[str, frozenset[UUID]] = {}
    versions = [version.values for version in (change.record, change.old_record) if version is not None]
    for role in index.roles:
        table = judgement.seen.get((change.topic, role))
        owners = owners_of(table.owner_columns, versions) if table is not None else None
        if owners is not None:
            found[role] = owners
    return found


def _deliveries(hub: Hub, change: Change, interest: Interest, judgement: _Judgement) -> Iterable[Delivery]:
    if change.type is ChangeType.BROADCAST:
        channel = change.topic.removeprefix(CHANNEL_TOPIC)
        members = tuple(hub.members(channel))
        if not members:
            return []
        event = Broadcast(channel, *sent_by_sql(change.details or "{}"))
        return [(member, event) for member in members]
    if change.type in ROW_CHANGES:
        return _rows(change, interest, judgement)
    some = [
        one
        for group, subscriptions in interest.items()
        for one in subscriptions
        if _may_listen(one, judgement.seen.get((change.topic, group.role)))
    ]
    details = json.loads(change.details or "{}")
    reason = "truncate" if change.type is ChangeType.TRUNCATE else "large_statement"
    operation = {"operation": details["operation"]} if "operation" in details else {}
    return _bulk(some, some[0].table, reason, operation) if some else []


def _may_listen(one: Subscription, table: LiveTable | None) -> bool:
    """Whether the role may still read the table, and the column that the filter asks about."""
    if table is None or table.condition == "false":
        return False
    return one.filter is None or one.filter.column in table.readable


def _rows(change: Change, interest: Interest, judgement: _Judgement) -> Iterable[Delivery]:
    payloads: dict[tuple[str, str, bool], str] = {}
    found: dict[tuple[Listener, str], tuple[str, list[str]]] = {}
    for group, some in interest.items():
        place = (change.topic, group.role)
        shown = _shown(change, lambda version, group=group: (group, version) in judgement.allowed)
        if shown is None or place in judgement.unjudged:
            continue
        operation, record, old_record = shown
        kind = (group.role, operation, old_record is not None)
        for one in some:
            if not (_may_listen(one, judgement.seen[place]) and _is_wanted(one, *shown)):
                continue
            if kind not in payloads:
                payloads[kind] = row_payload(judgement.seen[place], operation, change, record, old_record)
            found.setdefault((one.listener, one.channel), (payloads[kind], []))[1].append(one.id)
    for (listener, channel), (payload, ids) in found.items():
        yield listener, RowChanged(channel, tuple(ids), payload)


def _is_wanted(one: Subscription, operation: str, record: Version | None, old_record: Version | None) -> bool:
    """Whether the subscription asks for what its listener is shown; a filter never looks at what is out of sight."""
    shown = record or old_record
    return operation in one.events and (one.filter is None or (shown is not None and one.filter.matches(shown.values)))


def _shown(change: Change, may_see: Callable[[Version], bool]) -> tuple[str, Version | None, Version | None] | None:
    """Operation, record and old record as somebody sees them; None when there is nothing to see.

    Of an update, each side is shown only to those who may see it: when the new one is out of sight the row is gone for
    them, and when the old one was, they get no old record.
    """
    record, old_record = change.record, change.old_record
    if record is not None and may_see(record):
        return change.type.value, record, old_record if old_record is not None and may_see(old_record) else None
    if old_record is not None and may_see(old_record):
        return ChangeType.DELETE.value, None, old_record
    return None


def _bulk(
    some: Iterable[Subscription], table: LiveTable | tuple[str, str], reason: str, details: Mapping[str, object]
) -> Iterable[Delivery]:
    payload = bulk_payload(table, reason, details)
    found: dict[tuple[Listener, str], list[str]] = {}
    for one in some:
        found.setdefault((one.listener, one.channel), []).append(one.id)
    return [(listener, BulkChanged(channel, tuple(ids), payload)) for (listener, channel), ids in found.items()]


def _gap(index: TopicIndex, some: Iterable[Subscription]) -> Iterable[Delivery]:
    return _bulk(some, (index.schema, index.name), GAP, {})

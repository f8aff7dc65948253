"""From recorded changes to the listeners that may see them."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

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
from fluxbase.realtime.hub import CHANNEL_TOPIC, Hub
from fluxbase.realtime.index import Listener, Subscription, TopicIndex
from fluxbase.realtime.payloads import bulk_payload, row_payload
from fluxbase.realtime.tables import LiveTable, Tables
from fluxbase.realtime.visibility import Question, Visibility

GAP = "gap"
_EVENTS_BETWEEN_BREATHS = 200


@dataclass(slots=True)
class _Asked:
    """What must be known of a table's rows for one role."""

    table: LiveTable
    questions: set[Question] = field(default_factory=set[Question])


type Delivery = tuple[Listener, Event]


class Dispatcher:
    """Judges changes for this process' listeners, and hands them over."""

    def __init__(self, hub: Hub, tables: Tables, visibility: Visibility) -> None:
        self._hub = hub
        self._tables = tables
        self._visibility = visibility
        self._given = 0

    async def judge(self, changes: Sequence[Change]) -> list[list[Delivery]]:
        """For each change, what to hand to whom. Nothing has been handed over when this fails.

        Raises:
            OSError, asyncpg.PostgresError: PostgreSQL cannot be asked about rights.
        """
        wanted = [self._interested(change) for change in changes]
        seen = await self._seen_by(changes, wanted)
        allowed = await self._allowed(changes, wanted, seen)
        return [
            list(_deliveries(self._hub, change, some, seen, allowed))
            for change, some in zip(changes, wanted, strict=True)
        ]

    async def hand_over(self, deliveries: Iterable[Delivery]) -> None:
        """Give events to their listeners, with a breath now and then in which sockets are written."""
        for listener, event in deliveries:
            listener.deliver(event)
            self._given += 1
            if self._given % _EVENTS_BETWEEN_BREATHS == 0:
                await asyncio.sleep(0)

    def tell_of_gap(self) -> None:
        """Changes may have been missed: who listens to a table reads it again, and parts of this program look too."""
        for index in self._hub.table_indexes():
            for listener, event in _bulk(tuple(index), (index.schema, index.name), GAP, {}):
                listener.deliver(event)
        for channel in self._hub.internal_channels():
            self._hub.send(channel, BulkChanged(channel, (), json.dumps({"reason": GAP})))

    def _interested(self, change: Change) -> Sequence[Subscription]:
        index = self._hub.table_index(change.topic)
        if index is None:
            return ()
        return tuple(_matching(index, change))

    async def _seen_by(
        self, changes: Sequence[Change], wanted: Sequence[Sequence[Subscription]]
    ) -> Mapping[tuple[str, str], LiveTable]:
        """(topic, role) → the table as the role sees it now."""
        seen: dict[tuple[str, str], LiveTable] = {}
        for change, some in zip(changes, wanted, strict=True):
            for role, table in {one.listener.group.role: one.table for one in some}.items():
                if (change.topic, role) not in seen:
                    found = await self._tables.find(role, table.schema, table.name)
                    if found is not None:
                        seen[change.topic, role] = found
        return seen

    async def _allowed(
        self,
        changes: Sequence[Change],
        wanted: Sequence[Sequence[Subscription]],
        seen: Mapping[tuple[str, str], LiveTable],
    ) -> set[Question]:
        asked: dict[tuple[str, str], _Asked] = {}
        for change, some in zip(changes, wanted, strict=True):
            if change.type not in ROW_CHANGES:
                continue
            versions = [version for version in (change.record, change.old_record) if version is not None]
            for group in {one.listener.group for one in some}:
                place = (change.topic, group.role)
                if place in seen:
                    questions = asked.setdefault(place, _Asked(seen[place])).questions
                    questions.update((group, version) for version in versions)
        allowed = set[Question]()
        for (_, role), one in asked.items():
            allowed |= await self._visibility.visible(one.table, role, one.questions)
        return allowed


def _matching(index: TopicIndex, change: Change) -> Iterable[Subscription]:
    if change.type not in ROW_CHANGES:
        operation = json.loads(change.details or "{}").get("operation", "DELETE")
        return (one for one in index if operation in one.events)
    # An update that takes a row out of somebody's sight is a delete to them, of the row as it was.
    sides = {"UPDATE": change.record, "DELETE": change.old_record}
    if change.type is ChangeType.INSERT:
        sides = {"INSERT": change.record}
    return {
        one: None
        for operation, version in sides.items()
        if version is not None
        for one in index.matching(operation, version.values)
    }


def _deliveries(
    hub: Hub,
    change: Change,
    some: Sequence[Subscription],
    seen: Mapping[tuple[str, str], LiveTable],
    allowed: set[Question],
) -> Iterable[Delivery]:
    if change.type is ChangeType.BROADCAST:
        channel = change.topic.removeprefix(CHANNEL_TOPIC)
        details = json.loads(change.details or "{}")
        event = Broadcast(channel, str(details.get("event")), json.dumps(details.get("payload")))
        return [(member, event) for member in hub.members(channel)]
    current = [one for one in some if _may_listen(one, seen.get((change.topic, one.listener.group.role)))]
    if change.type not in ROW_CHANGES:
        details = json.loads(change.details or "{}")
        reason = "truncate" if change.type is ChangeType.TRUNCATE else "large_statement"
        operation = {"operation": details["operation"]} if "operation" in details else {}
        return _bulk(current, current[0].table, reason, operation) if current else []
    return _rows(change, current, seen, allowed)


def _may_listen(one: Subscription, table: LiveTable | None) -> bool:
    """Whether the role may still read the table, and the column that the filter asks about."""
    if table is None or table.condition == "false":
        return False
    return one.filter is None or one.filter.column in table.readable


def _rows(
    change: Change,
    some: Sequence[Subscription],
    seen: Mapping[tuple[str, str], LiveTable],
    allowed: set[Question],
) -> Iterable[Delivery]:
    payloads: dict[tuple[str, str, bool], str] = {}
    found: dict[tuple[Listener, str], tuple[str, list[str]]] = {}
    for one in some:
        group = one.listener.group
        shown = _shown(change, lambda version, group=group: (group, version) in allowed)
        if shown is None or not _is_wanted(one, *shown):
            continue
        operation, record, old_record = shown
        kind = (group.role, operation, old_record is not None)
        if kind not in payloads:
            payloads[kind] = row_payload(seen[change.topic, group.role], operation, change, record, old_record)
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

"""Subscriptions to tables, found by what a change says: those that want one value are not asked about the others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from fluxbase.realtime.claims import Group
from fluxbase.realtime.events import Event
from fluxbase.realtime.filters import Filter, Kind, comparable
from fluxbase.realtime.tables import LiveTable


class Listener(Protocol):
    """Whoever hears events: a socket, whatever it speaks, or a part of this program."""

    group: Group

    def deliver(self, event: Event) -> None:
        """Take an event without waiting."""
        ...


@dataclass(eq=False, slots=True)
class Subscription:
    """One listener's interest in a table."""

    id: str
    listener: Listener
    channel: str
    table: LiveTable
    events: frozenset[str]
    filter: Filter | None = None


type _Field = tuple[str, Kind]


@dataclass(slots=True)
class TopicIndex:
    """The subscriptions of one table. `=` filters are looked up by value; all others are tried one by one."""

    schema: str
    name: str
    by_value: dict[_Field, dict[Any, set[Subscription]]] = field(
        default_factory=dict[_Field, dict[Any, set[Subscription]]]
    )
    others: set[Subscription] = field(default_factory=set[Subscription])

    def __bool__(self) -> bool:
        return bool(self.others or self.by_value)

    def __iter__(self) -> Iterator[Subscription]:
        yield from self.others
        for values in self.by_value.values():
            for some in values.values():
                yield from some

    def add(self, subscription: Subscription) -> None:
        """Take one in."""
        wanted = subscription.filter
        if wanted is not None and wanted.operator == "eq":
            values = self.by_value.setdefault((wanted.column, wanted.kind), {})
            values.setdefault(wanted.value, set()).add(subscription)
        else:
            self.others.add(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Let one go."""
        wanted = subscription.filter
        if wanted is None or wanted.operator != "eq":
            self.others.discard(subscription)
            return
        place = (wanted.column, wanted.kind)
        values = self.by_value.get(place, {})
        some = values.get(wanted.value, set())
        some.discard(subscription)
        if not some:
            values.pop(wanted.value, None)
        if not values:
            self.by_value.pop(place, None)

    def matching(self, operation: str, record: Mapping[str, Any]) -> Iterator[Subscription]:
        """The subscriptions that want this kind of change to this row."""
        for (column, kind), values in self.by_value.items():
            found = record.get(column)
            if found is not None:
                for one in values.get(comparable(kind, found), ()):
                    if operation in one.events:
                        yield one
        for one in self.others:
            if operation in one.events and (one.filter is None or one.filter.matches(record)):
                yield one

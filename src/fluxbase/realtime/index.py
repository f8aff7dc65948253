"""Subscriptions to tables, found by what a change says: those that want one value are not asked about the others."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

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
type _Alike = tuple[Group, frozenset[str]]
type _ByUser = dict[UUID | None, dict[_Alike, set[Subscription]]]
type Owners = Mapping[str, frozenset[UUID]]
"""By role, the users who alone may see a row; roles that are not there may all see it."""
type Interest = Mapping[Group, Collection[Subscription]]
"""Who may want a change, by group: rights are the same for all of a group."""


@dataclass(slots=True)
class TopicIndex:
    """The subscriptions of one table.

    `=` filters are looked up by value. Those without a filter are found by their role and user, group by group, and not
    looked at one by one. All others are tried. `roles` counts the subscriptions of each.
    """

    schema: str
    name: str
    by_value: dict[_Field, dict[Any, set[Subscription]]] = field(
        default_factory=dict[_Field, dict[Any, set[Subscription]]]
    )
    unfiltered: dict[str, _ByUser] = field(default_factory=dict[str, _ByUser])
    others: set[Subscription] = field(default_factory=set[Subscription])
    roles: Counter[str] = field(default_factory=Counter[str])

    def __bool__(self) -> bool:
        return bool(self.others or self.by_value or self.unfiltered)

    def __iter__(self) -> Iterator[Subscription]:
        yield from self.others
        for _, some in self._unfiltered({}):
            yield from some
        for values in self.by_value.values():
            for some in values.values():
                yield from some

    def add(self, subscription: Subscription) -> None:
        """Take one in."""
        wanted, group = subscription.filter, subscription.listener.group
        self.roles[group.role] += 1
        if wanted is None:
            alike = self.unfiltered.setdefault(group.role, {}).setdefault(group.user, {})
            alike.setdefault((group, subscription.events), set()).add(subscription)
        elif wanted.operator == "eq":
            values = self.by_value.setdefault((wanted.column, wanted.kind), {})
            values.setdefault(wanted.value, set()).add(subscription)
        else:
            self.others.add(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Let one go."""
        wanted, group = subscription.filter, subscription.listener.group
        self.roles -= Counter({group.role: 1})  # and without those that are nought
        if wanted is None:
            self._remove_unfiltered(group, subscription)
        elif wanted.operator == "eq":
            place = (wanted.column, wanted.kind)
            values = self.by_value.get(place, {})
            _discard(values, wanted.value, subscription)
            if not values:
                self.by_value.pop(place, None)
        else:
            self.others.discard(subscription)

    def _remove_unfiltered(self, group: Group, subscription: Subscription) -> None:
        by_user = self.unfiltered.get(group.role, {})
        alike = by_user.get(group.user, {})
        _discard(alike, (group, subscription.events), subscription)
        if not alike:
            by_user.pop(group.user, None)
        if not by_user:
            self.unfiltered.pop(group.role, None)

    def interested(self, sides: Mapping[str, Mapping[str, Any]], owners: Owners) -> Interest:
        """Who wants one of these operations on a row; `sides` has the row that each operation is about."""
        found: dict[Group, Collection[Subscription]] = {}
        for (group, events), some in self._unfiltered(owners):
            if not events.isdisjoint(sides):
                found[group] = some if group not in found else {*found[group], *some}
        for one in {one: None for operation, record in sides.items() for one in self._matching(operation, record)}:
            group = one.listener.group
            if group.role not in owners or group.user in owners[group.role]:
                found[group] = {*found.get(group, ()), one}
        return found

    def _unfiltered(self, owners: Owners) -> Iterator[tuple[_Alike, set[Subscription]]]:
        for role, by_user in self.unfiltered.items():
            users = by_user.keys() if role not in owners else owners[role] & by_user.keys()
            for user in users:
                yield from by_user[user].items()

    def of_operation(self, operation: str) -> Interest:
        """Who hears of such statements, whatever their rows."""
        found: dict[Group, list[Subscription]] = {}
        for one in self:
            if operation in one.events:
                found.setdefault(one.listener.group, []).append(one)
        return found

    def _matching(self, operation: str, record: Mapping[str, Any]) -> Iterator[Subscription]:
        for (column, kind), values in self.by_value.items():
            found = record.get(column)
            if found is not None:
                for one in values.get(comparable(kind, found), ()):
                    if operation in one.events:
                        yield one
        for one in self.others:
            if operation in one.events and (one.filter is None or one.filter.matches(record)):
                yield one


def _discard[Key](sets: dict[Key, set[Subscription]], key: Key, subscription: Subscription) -> None:
    some = sets.get(key, set())
    some.discard(subscription)
    if not some:
        sets.pop(key, None)

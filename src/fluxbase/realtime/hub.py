"""Who listens to what in this process. Knows neither sockets nor protocols nor how changes come in."""

import asyncio
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from fluxbase.db import SERVICE
from fluxbase.realtime.channels import INTERNAL
from fluxbase.realtime.claims import Group, Groups
from fluxbase.realtime.events import Event
from fluxbase.realtime.filters import Filter
from fluxbase.realtime.index import Listener, Subscription, TopicIndex
from fluxbase.realtime.tables import LiveTable

CHANNEL_TOPIC = "channel:"
EVENTS_BETWEEN_BREATHS = 200

type Handler = Callable[[Event], None]


class Hub:
    """Channels with their members, tables with their subscriptions."""

    def __init__(self) -> None:
        self._channels: dict[str, dict[Listener, None]] = {}
        self._tables: dict[str, TopicIndex] = {}
        self._of_listener: dict[Listener, set[Subscription]] = {}
        self._ids = count(1)
        self._groups = Groups()
        self.subscriptions = 0

    @property
    def groups(self) -> Groups:
        """The groups of equal claims among the listeners."""
        return self._groups

    @property
    def channels(self) -> int:
        """How many channels have a member."""
        return len(self._channels)

    def topics(self) -> list[str]:
        """The tables that somebody here wants to hear of: the reader's filter."""
        return list(self._tables)

    def internal_channels(self) -> list[str]:
        """The channels by which parts of this program listen."""
        return [channel for channel in self._channels if channel.startswith(INTERNAL)]

    def table_index(self, topic: str) -> TopicIndex | None:
        """The subscriptions of a table's topic."""
        return self._tables.get(topic)

    def table_indexes(self) -> list[TopicIndex]:
        """Those of every table that somebody listens to."""
        return list(self._tables.values())

    def members(self, channel: str) -> Iterator[Listener]:
        """Who is in a channel."""
        return iter(self._channels.get(channel, ()))

    def is_member(self, listener: Listener, channel: str) -> bool:
        """Whether the listener is in the channel."""
        return listener in self._channels.get(channel, ())

    def join(self, listener: Listener, channel: str) -> None:
        """Enter a channel; once more is nothing."""
        self._channels.setdefault(channel, {})[listener] = None

    def subscribe(
        self, listener: Listener, channel: str, table: LiveTable, events: Iterable[str], wanted: Filter | None
    ) -> Subscription:
        """Hear of a table's changes, through a channel that the listener has joined."""
        subscription = Subscription(str(next(self._ids)), listener, channel, table, frozenset(events), wanted)
        self._tables.setdefault(table.topic, TopicIndex(table.schema, table.name)).add(subscription)
        self._of_listener.setdefault(listener, set()).add(subscription)
        self.subscriptions += 1
        return subscription

    def subscriptions_of(self, listener: Listener) -> Sequence[Subscription]:
        """What a listener is subscribed to."""
        return tuple(self._of_listener.get(listener, ()))

    def unsubscribe(self, subscription: Subscription) -> None:
        """End one subscription; its channel stays joined."""
        mine = self._of_listener.get(subscription.listener, set())
        if subscription not in mine:
            return
        mine.discard(subscription)
        if not mine:
            del self._of_listener[subscription.listener]
        self.subscriptions -= 1
        index = self._tables.get(subscription.table.topic)
        if index is not None:
            index.remove(subscription)
            if not index:
                del self._tables[subscription.table.topic]

    def leave(self, listener: Listener, channel: str) -> None:
        """Leave a channel, with the subscriptions that came through it."""
        for subscription in self.subscriptions_of(listener):
            if subscription.channel == channel:
                self.unsubscribe(subscription)
        members = self._channels.get(channel, {})
        members.pop(listener, None)
        if not members:
            self._channels.pop(channel, None)

    async def send(self, channel: str, event: Event, *, but: Listener | None = None) -> int:
        """Give an event to the members of a channel in this process; how many there were.

        Among many members other work has its turn now and then, in which some may leave.
        """
        told = 0
        for member in tuple(self._channels.get(channel, ())):
            if member is not but and self.is_member(member, channel):
                member.deliver(event)
                told += 1
                if told % EVENTS_BETWEEN_BREATHS == 0:
                    await asyncio.sleep(0)
        return told

    def change_group(self, listener: Listener, group: Group) -> None:
        """A listener has other claims from now on."""
        mine = [(self._tables[one.table.topic], one) for one in self.subscriptions_of(listener)]
        for index, one in mine:
            index.remove(one)
        listener.group = group
        for index, one in mine:
            index.add(one)

    @contextmanager
    def listen(self, channel: str, handler: Handler) -> Generator[None]:
        """Call `handler` for each event of a channel: how parts of this program hear what `realtime.send` sends."""
        listener = _Internal(self._groups.of(SERVICE), handler)
        self.join(listener, channel)
        try:
            yield
        finally:
            self.leave(listener, channel)


class _Internal:
    """A listener that is a function."""

    def __init__(self, group: Group, handler: Handler) -> None:
        self.group = group
        self._handler = handler

    def deliver(self, event: Event) -> None:
        """Hand the event on."""
        self._handler(event)

"""Into channels and onto tables, as far as the caller may."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from fluxbase.auth.callers import Caller
from fluxbase.db import SERVICE, Database
from fluxbase.realtime.channels import Access, Membership, access_to, refused
from fluxbase.realtime.connection import Connection
from fluxbase.realtime.errors import NotJoinedError, TableNotLiveError, TooManySubscriptionsError
from fluxbase.realtime.filters import parse_filter
from fluxbase.realtime.hub import Hub
from fluxbase.realtime.index import Subscription
from fluxbase.realtime.reader import Reader
from fluxbase.realtime.tables import SQL, LiveTable, Tables

MAX_PER_CONNECTION = 100
"""Channels, and subscriptions to tables, of one connection."""


@dataclass(frozen=True, slots=True)
class TableRequest:
    """Which changes of which table; `filter` as it was written."""

    schema: str
    table: str
    events: frozenset[str]
    filter: str | None


class Subscribing:
    """What a connection may ask of the hub."""

    def __init__(self, database: Database, hub: Hub, tables: Tables, reader: Reader) -> None:
        self._database = database
        self._hub = hub
        self._tables = tables
        self._reader = reader

    async def join(self, connection: Connection, channel: str) -> None:
        """Enter a channel.

        Raises:
            ChannelRefusedError: It is not open to the caller.
        """
        if self._hub.is_member(connection, channel):
            return
        await self.check(connection.caller, channel)
        if len(connection.channels) >= MAX_PER_CONNECTION:
            raise TooManySubscriptionsError(f"A connection may be in {MAX_PER_CONNECTION} channels.")
        connection.channels.add(channel)
        self._hub.join(connection, channel)
        await self._reader.settled()

    async def check(self, caller: Caller, channel: str, *, to_send: bool = False) -> None:
        """Whether `caller` may enter the channel, or send to it.

        Raises:
            ChannelRefusedError: They may not.
        """
        access = access_to(channel, caller)
        if access is Access.MEMBERS and caller.user_id is not None:
            found = await self.memberships([(channel, caller.user_id)])
            member = found.get((channel, caller.user_id))
            if member is not None and (member.may_send or not to_send):
                return
        elif access is Access.OPEN:
            return
        raise refused(channel)

    async def memberships(self, asked: Iterable[tuple[str, UUID]]) -> Mapping[tuple[str, UUID], Membership]:
        """Those of (channel, user) that are members."""
        pairs = list(asked)
        async with self._database.transaction(SERVICE) as connection:
            rows = await connection.fetch(SQL["memberships"], [pair[0] for pair in pairs], [pair[1] for pair in pairs])
        return {(row["channel"], row["user_id"]): Membership(**row) for row in rows}

    async def subscribe(self, connection: Connection, channel: str, request: TableRequest) -> Subscription:
        """Hear of a table's changes from now on: what commits after this returns is told.

        Raises:
            ChannelRefusedError, TableNotLiveError, InvalidFilterError, TooManySubscriptionsError: It may not be.
        """
        table = await self._table(connection.group.role, request)
        wanted = parse_filter(request.filter, table.readable) if request.filter else None
        await self.join(connection, channel)
        if len(self._hub.subscriptions_of(connection)) >= MAX_PER_CONNECTION:
            raise TooManySubscriptionsError(f"A connection may have {MAX_PER_CONNECTION} subscriptions to tables.")
        subscription = self._hub.subscribe(connection, channel, table, request.events, wanted)
        await self._reader.settled()
        return subscription

    async def _table(self, role: str, request: TableRequest) -> LiveTable:
        for fresh in (False, True):  # it may have gone live since somebody asked last
            table = await self._tables.find(role, request.schema, request.table, fresh=fresh)
            if table is None:
                break  # nobody knew it, so this was fresh
            if table.events & request.events and table.condition != "false":
                return table
        raise TableNotLiveError(
            f"The table {request.schema}.{request.table} does not exist, is not yours to read, or is not live."
        )

    def require_member(self, connection: Connection, channel: str) -> None:
        """Make sure that a connection is in a channel.

        Raises:
            NotJoinedError: It is not.
        """
        if not self._hub.is_member(connection, channel):
            raise NotJoinedError(f"Subscribe to {channel} first.")

    def end(self, connection: Connection, channel: str, subscription_id: str) -> None:
        """End one subscription; its channel stays joined.

        Raises:
            NotJoinedError: There is no such thing.
        """
        for one in self._hub.subscriptions_of(connection):
            if one.id == subscription_id and one.channel == channel:
                self._hub.unsubscribe(one)
                return
        raise NotJoinedError(f"There is no subscription {subscription_id} in the channel {channel}.")

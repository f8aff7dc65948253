"""Ends connections that may not go on: sessions ended, tokens expired, clients too slow, channels no longer theirs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from itertools import batched
from uuid import UUID

import structlog

from fluxbase.auth.callers import Caller
from fluxbase.db import SERVICE
from fluxbase.db.listener import Listener
from fluxbase.realtime import protocol
from fluxbase.realtime.channels import Access, access_to
from fluxbase.realtime.connection import SLOW, TRY_AGAIN_LATER, UNAUTHENTICATED, Connection
from fluxbase.realtime.events import Expelled
from fluxbase.realtime.outages import will_pass
from fluxbase.realtime.registry import Registry
from fluxbase.realtime.subscribing import Subscribing
from fluxbase.realtime.tables import SQL
from fluxbase.repeating import repeat
from fluxbase.resources import Resources
from fluxbase.service_keys import KEYS_CHANNEL, ended_keys
from fluxbase.settings import Settings

logger = structlog.get_logger(__name__)

SESSIONS_CHANNEL = "fluxbase_sessions"
SESSION_ENDED, TOKEN_EXPIRED, KEY_CHANGED = "session ended", "access token expired", "service key changed or ended"
_LOOK_SECONDS = 1.0
_HEARTBEAT_SECONDS = 30.0
_HEARTBEATS_AT_ONCE, _BETWEEN_HEARTBEATS_SECONDS = 50, 0.02
_SESSIONS_SECONDS = 30.0


type Leave = Callable[[Connection, str], Awaitable[None]]


class Watch:
    """Looks once a second at what needs no database, and more rarely at what does."""

    def __init__(
        self, resources: Resources, settings: Settings, registry: Registry, subscribing: Subscribing, leave: Leave
    ) -> None:
        self._resources = resources
        self._registry = registry
        self._subscribing = subscribing
        self._leave = leave
        self._slow_seconds = settings.realtime_slow_client_timeout.total_seconds()
        self._rights_seconds = max(settings.realtime_rls_cache_ttl.total_seconds(), _LOOK_SECONDS)

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as looks:
            for look, seconds in (
                (self._close_overdue, _LOOK_SECONDS),
                (self._send_heartbeats, _HEARTBEAT_SECONDS),
                (self.close_ended_sessions, _SESSIONS_SECONDS),
                (self.close_ended_keys, _SESSIONS_SECONDS),
                (self.expel_former_members, self._rights_seconds),
            ):
                looks.create_task(repeat(f"realtime watch: {look.__name__}", look, every_seconds=seconds))

    async def _close_overdue(self) -> None:
        self.close_slow(time.monotonic())
        self.close_expired(self._resources.now().timestamp())

    async def _send_heartbeats(self) -> None:
        for some in batched(self._registry, _HEARTBEATS_AT_ONCE):
            for connection in some:
                connection.send(protocol.HEARTBEAT)
            await asyncio.sleep(_BETWEEN_HEARTBEATS_SECONDS)  # thousands at once would hold up changes

    def close_slow(self, now: float) -> None:
        """Drop clients that have been slow for too long."""
        for connection in self._registry:
            since = connection.outbox.slow_since
            if since is not None and now - since > self._slow_seconds:
                connection.close(TRY_AGAIN_LATER, SLOW)

    def close_expired(self, now: float) -> None:
        """End connections whose access token ended without a new one."""
        for connection in self._registry:
            if connection.expires_at is not None and connection.expires_at <= now:
                connection.close(UNAUTHENTICATED, TOKEN_EXPIRED)
            ends_at = connection.caller.ends_at
            if ends_at is not None and ends_at.timestamp() <= now:
                connection.close(UNAUTHENTICATED, KEY_CHANGED)

    async def listen_for_sessions(self) -> None:
        """Hear of ended sessions as they end, until cancelled."""
        await Listener(self._resources.addresses.runtime_dsn, SESSIONS_CHANNEL, self.hear_sessions).run()

    async def hear_sessions(self, payload: str) -> None:
        """Take the ids of sessions that ended, separated by commas; the empty text means that any may have."""
        if payload:
            self._close_sessions(set(payload.split(",")))
        else:
            await _try("sessions", self.close_ended_sessions)

    async def listen_for_keys(self) -> None:
        """Hear of service keys that were revoked, disabled or changed, until cancelled."""
        await Listener(self._resources.addresses.runtime_dsn, KEYS_CHANNEL, self.hear_keys).run()

    async def hear_keys(self, payload: str) -> None:
        """Close the sockets of the key of that id: who may still, comes back. The empty text means any of them."""
        if payload:
            self._close_keys({payload})
        else:
            await _try("keys", self.close_ended_keys)

    async def close_ended_keys(self) -> None:
        """Ask which service keys of this process' connections may be used no more, and close these."""
        ids = {key for one in self._registry if (key := one.caller.key_id) is not None}
        if ids:
            self._close_keys({str(key) for key in await ended_keys(self._resources, ids)})

    def _close_keys(self, ended: set[str]) -> None:
        for connection in self._registry:
            if str(connection.caller.key_id) in ended:
                connection.close(UNAUTHENTICATED, KEY_CHANGED)

    async def close_ended_sessions(self) -> None:
        """Ask which sessions of this process' connections are over, and close these."""
        ids = {session for one in self._registry if (session := one.caller.session_id) is not None}
        if ids:
            self._close_sessions(await self.ended_sessions(ids))

    async def ended_sessions(self, ids: Iterable[UUID]) -> set[str]:
        """Those of `ids` that are over."""
        async with self._resources.database.transaction(SERVICE) as connection:
            rows = await connection.fetch(SQL["ended_sessions"], list(ids))
        return {str(row["id"]) for row in rows}

    def _close_sessions(self, ended: set[str]) -> None:
        for connection in self._registry:
            if str(connection.caller.session_id) in ended:
                connection.close(UNAUTHENTICATED, SESSION_ENDED)

    async def expel_former_members(self) -> None:
        """Take connections out of private channels whose member they no longer are."""
        inside = [
            (connection, channel, connection.caller.user_id)
            for connection in self._registry
            for channel in connection.channels
            if connection.caller.user_id is not None and access_to(channel, connection.caller) is Access.MEMBERS
        ]
        if not inside:
            return
        members = await self._subscribing.memberships({(channel, user) for _, channel, user in inside})
        await self._expel(
            (connection, channel) for connection, channel, user in inside if (channel, user) not in members
        )

    async def expel_refused(self, connection: Connection) -> None:
        """After a change of who it is: out of the channels that are not its own."""
        await self._expel(
            (connection, channel) for channel in tuple(connection.channels) if _is_refused(channel, connection.caller)
        )

    async def _expel(self, whom: Iterable[tuple[Connection, str]]) -> None:
        for connection, channel in list(whom):
            await self._leave(connection, channel)
            connection.deliver(Expelled(channel, f"You are no longer a member of {channel}."))


async def _try(what: str, look: Callable[[], Awaitable[None]]) -> None:
    """Do `look`; when it fails, the same look every 30 seconds makes up for it."""
    try:
        await look()
    except Exception as error:
        if will_pass(error):
            logger.warning("connections not checked", what=what, error=f"{type(error).__name__}: {error}")
        else:
            logger.exception("connections not checked", what=what)


def _is_refused(channel: str, caller: Caller) -> bool:
    return access_to(channel, caller) is Access.REFUSED

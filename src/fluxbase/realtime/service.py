"""Realtime of one process, put together; `realtime_of(app)` finds it."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from starlette.requests import HTTPConnection

from fluxbase.auth.callers import Caller
from fluxbase.errors import SessionEndedError, UnavailableError
from fluxbase.monitoring.metrics import Metrics, metrics_of
from fluxbase.realtime.admission import Admission
from fluxbase.realtime.bus import Bus, Message, bus_name
from fluxbase.realtime.connection import SERVICE_RESTART, Connection
from fluxbase.realtime.dispatch import Dispatcher
from fluxbase.realtime.errors import BusDownError
from fluxbase.realtime.events import Broadcast, PresenceDiff
from fluxbase.realtime.hub import Hub
from fluxbase.realtime.presence import BEAT_SECONDS, Change, Presence
from fluxbase.realtime.protocol import Encoder
from fluxbase.realtime.reader import Reader
from fluxbase.realtime.registry import Registry
from fluxbase.realtime.retention import Retention
from fluxbase.realtime.subscribing import Subscribing
from fluxbase.realtime.tables import Tables
from fluxbase.realtime.tally import Tally
from fluxbase.realtime.visibility import RightsCache, Visibility
from fluxbase.realtime.watching import Watch
from fluxbase.repeating import repeat
from fluxbase.resources import Resources
from fluxbase.settings import Settings


class Realtime:
    """Hub, reader, bus and presence, and the connections they serve."""

    def __init__(self, resources: Resources, settings: Settings, metrics: Metrics) -> None:
        ttl = settings.realtime_rls_cache_ttl.total_seconds()
        self.secret = resources.addresses.secret
        self.settings = settings
        self.metrics = metrics
        self.hub = Hub()
        self.encode = Encoder()
        self.registry = Registry(settings)
        self.tally = Tally(resources.redis, resources.addresses.installation, self.registry.counts)
        self.admission = Admission(self.registry, self.tally)
        self.cache = RightsCache(settings.realtime_rls_cache_size, ttl)
        self.tables = Tables(resources.database, ttl_seconds=ttl)
        self.visibility = Visibility(resources.database, self.cache)
        dispatcher = Dispatcher(self.hub, self.tables, self.visibility)
        self.reader = Reader(resources.database, resources.addresses.runtime_dsn, self.hub, dispatcher)
        self.subscribing = Subscribing(resources.database, self.hub, self.tables, self.reader)
        self.bus = Bus(resources.redis, bus_name(resources.addresses), self._hear)
        self.presence = Presence(self.bus.process)
        self.retention = Retention(resources.database)
        self.watch = Watch(resources, settings, self.registry, self.subscribing, self.leave)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Follow the database and the other processes while the block lasts; then close every connection."""
        await self.reader.start()
        watching = (self.watch.run(), self.watch.listen_for_sessions(), self.watch.listen_for_keys())
        jobs = (
            self.bus.run(),
            self.tally.run(),
            repeat("realtime beats", self._beat, every_seconds=0),
            self.retention.run(),
            *watching,
        )
        tasks = [asyncio.create_task(job) for job in jobs]
        try:
            yield
        finally:
            await self._say_goodbye()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.tally.leave()
            await self.reader.stop()

    async def restart(self) -> None:
        """Listen on new connections and forget what is remembered of rights. Sockets stay, and the position too."""
        self.tables.forget()
        self.cache.clear()
        await self.reader.restart()

    async def assure(self, caller: Caller) -> None:
        """Make sure that the caller's session, if there is one, still lives: a token outlives it.

        Raises:
            SessionEndedError: 401.
        """
        if caller.session_id is not None and await self.watch.ended_sessions([caller.session_id]):
            raise SessionEndedError

    def remove(self, connection: Connection) -> Change:
        """A connection is gone: out of the hub, out of its channels. Returns what is to be told of its presence."""
        self.admission.leave(connection)
        for channel in tuple(connection.channels):
            self.hub.leave(connection, channel)
        return self.presence.untrack(connection.id)

    async def leave(self, connection: Connection, channel: str) -> None:
        """A connection leaves a channel: out of the hub, and no longer present there for anybody."""
        connection.channels.discard(channel)
        self.hub.leave(connection, channel)
        await self.publish_change(self.presence.untrack(connection.id, channel))

    async def broadcast(self, channel: str, event: str, payload: str, *, but: Connection | None = None) -> None:
        """Send `payload` (JSON text) to a channel, in every process.

        Raises:
            BusDownError: Only this process' clients got it.
        """
        await self.hub.send(channel, Broadcast(channel, event, payload), but=but)
        await self.bus.publish({"kind": "broadcast", "channel": channel, "event": event, "payload": payload})

    async def publish_change(self, change: Change) -> None:
        """Tell members here, and the other processes, of a change of presence. Redis may be away: beats heal it."""
        await self.tell(change.diffs)
        if change.message is not None:
            try:
                await self.bus.publish(change.message)
            except BusDownError:
                return  # logged there

    async def tell(self, diffs: Iterable[PresenceDiff]) -> None:
        """Tell members here of who came and left."""
        for diff in diffs:
            await self.hub.send(diff.channel, diff)

    def stats(self) -> dict[str, Any]:
        """Numbers of this process."""
        return {
            "connections": len(self.registry),
            "channels": self.hub.channels,
            "subscriptions": self.hub.subscriptions,
            "slow_clients": sum(connection.outbox.slow_since is not None for connection in self.registry),
            "claims_groups": len(self.hub.groups),
            "rls_cache_entries": len(self.cache),
            "listening": self.reader.listening,
            "other_processes_reachable": self.bus.connected.is_set(),
            "limits_shared": self.tally.shared,
        }

    def show_numbers(self) -> None:
        """Let the gauges ask for them at each scrape."""
        self.metrics.realtime_connections.set_function(lambda: len(self.registry))
        self.metrics.realtime_channels.set_function(lambda: self.hub.channels)
        self.metrics.realtime_subscriptions.set_function(lambda: self.hub.subscriptions)

    async def _hear(self, process: str, message: Message) -> None:
        match message["kind"]:
            case "broadcast":
                channel = message["channel"]
                await self.hub.send(channel, Broadcast(channel, message["event"], message["payload"]))
            case "presence_beat":
                if self.presence.hear_beat(process, message["version"]):
                    await self._quietly({"kind": "presence_ask", "whom": process})
            case "presence_change":
                diffs = self.presence.hear_change(process, message["version"], message["joins"], message["leaves"])
                if diffs is None:
                    await self._quietly({"kind": "presence_ask", "whom": process})
                await self.tell(diffs or ())
            case "presence_ask" if message["whom"] == self.bus.process:
                await self._quietly(self.presence.whole())
            case "presence_whole":
                await self.tell(self.presence.hear_whole(process, message["version"], message["entries"]))
            case "presence_end":
                await self.tell(self.presence.hear_end(process))
            case _:
                return  # a newer version's; processes are replaced one after another

    async def _quietly(self, message: Message) -> None:
        try:
            await self.bus.publish(message)
        except BusDownError:
            return  # logged there; the next beat asks again

    async def _beat(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_SECONDS):
                await self._reconnected()
        if self.bus.connected.is_set():
            await self.tell(self.presence.drop_silent())
            await self._quietly(self.presence.beat())
        else:
            self.presence.forgive()

    async def _reconnected(self) -> None:
        """Return when the bus comes back: the first beat should not be late."""
        if self.bus.connected.is_set():
            await asyncio.sleep(BEAT_SECONDS)
        await self.bus.connected.wait()

    async def _say_goodbye(self) -> None:
        for connection in self.registry:
            connection.close(SERVICE_RESTART, "server restarts")
        if self.bus.connected.is_set():
            await self._quietly({"kind": "presence_end"})


@asynccontextmanager
async def running_realtime(app: FastAPI) -> AsyncGenerator[None]:
    """Run realtime beside the routes; kept at `app.state.realtime`."""
    realtime = Realtime(app.state.resources, app.state.settings, metrics_of(app))
    realtime.show_numbers()
    async with realtime.running():
        app.state.realtime = realtime
        yield


def realtime_of(connection: HTTPConnection) -> Realtime:
    """The realtime of a request's application.

    Raises:
        UnavailableError: It is not running (yet).
    """
    realtime: Realtime | None = getattr(connection.app.state, "realtime", None)
    if realtime is None:
        raise UnavailableError("Realtime is not running.")
    return realtime

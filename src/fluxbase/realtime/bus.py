"""Server processes tell each other of broadcasts and presence, through Redis. Nothing is stored there."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fluxbase.realtime.errors import BusDownError
from fluxbase.repeating import repeat
from fluxbase.resources import Addresses

logger = structlog.get_logger(__name__)

type Message = Mapping[str, Any]
type Hear = Callable[[str, Message], Awaitable[None] | None]

_POLL_SECONDS = 5.0
_MOST_UNANSWERED = 2
"""Pings; after the time of another one the connection is given up."""
_PATIENCE_SECONDS = 2.0
_RETRY_SECONDS = 1.0


def bus_name(addresses: Addresses) -> str:
    """The channel of an installation: processes of other databases may use the same Redis."""
    return f"fluxbase:{addresses.installation}:realtime"


class Bus:
    """One process' end. `hear` gets every other process' messages, with the sender's id."""

    def __init__(self, redis: Redis, name: str, hear: Hear, poll_seconds: float = _POLL_SECONDS) -> None:
        self.process = uuid4().hex
        self.poll_seconds = poll_seconds
        self._redis = redis
        self._name = name
        self._hear = hear
        self.connected = asyncio.Event()

    async def publish(self, message: Message) -> None:
        """Tell the others.

        Raises:
            BusDownError: Redis did not take it.
        """
        text = json.dumps({"from": self.process, **message})
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._redis.publish(self._name, text)  # pyright: ignore[reportUnknownMemberType] -- **kwargs untyped
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("other processes not reached", error=f"{type(error).__name__}: {error}")
            raise BusDownError from error

    async def run(self) -> None:
        """Listen until cancelled; comes back by itself when Redis does."""
        await repeat("realtime bus", self._listen_once, every_seconds=_RETRY_SECONDS)

    async def _listen_once(self) -> None:
        try:
            await self._listen()
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("connection closed", channel=self._name, error=f"{type(error).__name__}: {error}")
        finally:
            self.connected.clear()

    async def _listen(self) -> None:
        await self._redis.initialize()  # a cluster's client knows no node before it has asked one
        async with self._redis.pubsub() as subscription:  # pyright: ignore[reportUnknownMemberType] -- redis-py's kwargs are untyped
            await subscription.subscribe(self._name)  # pyright: ignore[reportUnknownMemberType] -- the same
            unanswered = 0
            while True:
                message: dict[str, Any] | None = await subscription.get_message(timeout=self.poll_seconds)  # pyright: ignore[reportUnknownVariableType] -- the same
                if message is None:
                    if unanswered == _MOST_UNANSWERED:
                        raise TimeoutError("Redis does not answer")
                    unanswered += 1
                    await subscription.ping()  # pyright: ignore[reportUnknownMemberType] -- the same; a pong is a message too
                    continue
                unanswered = 0
                if message["type"] == "subscribe":
                    self.connected.set()
                elif message["type"] == "message":
                    await self._take(message["data"])

    async def _take(self, text: str) -> None:
        """Hear a message. One that is malformed, a newer version's perhaps, must not end the listening."""
        try:
            message = json.loads(text)
            if message["from"] != self.process:
                outcome = self._hear(message["from"], message)
                if outcome is not None:
                    await outcome
        except Exception:  # whatever is in it is another program's
            logger.exception("message of another process not understood", length=len(text))

"""How many connections users and addresses have in all server processes together: a tally in Redis.

A process writes down how many of a subject *it* has, under its own name; what counts is the sum over the processes that
live. So nothing has to be taken back for one that was killed: its name lapses, and with it what stands under it. What
Redis loses, or did not hear while it was away, is written down anew from what the process knows.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import batched
from typing import Any
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fluxbase.repeating import repeat

logger = structlog.get_logger(__name__)

# KEYS: the living, then subjects. ARGV: this process, its lease and how long counts are kept (both ms), then for each
# subject how many this process has, the new one included, and how many there may be. One Redis clock for all processes.
# Returns the number of the first subject that has too many, or 0, and whether the process' name was not there any more.
_CLAIM = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local fresh = redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
for place = 2, #KEYS do
    local total = tonumber(ARGV[2 * place])
    local counts = redis.call('HGETALL', KEYS[place])
    for at = 1, #counts, 2 do
        if counts[at] ~= ARGV[1] then
            if redis.call('ZSCORE', KEYS[1], counts[at]) then
                total = total + tonumber(counts[at + 1])
            else
                redis.call('HDEL', KEYS[place], counts[at])
            end
        end
    end
    if total > tonumber(ARGV[2 * place + 1]) then
        return {place - 1, fresh}
    end
end
for place = 2, #KEYS do
    redis.call('HSET', KEYS[place], ARGV[1], ARGV[2 * place])
    redis.call('PEXPIRE', KEYS[place], ARGV[3])
end
return {0, fresh}
"""
BEAT_SECONDS = 3.0
LEASE_SECONDS = 10.0
"""After this the connections of a process that is heard no more are not counted."""
_KEPT_SECONDS = 900.0
_RENEWED_SECONDS = 300.0
_PATIENCE_SECONDS = 1.0
_AWAY_SECONDS = 1.0
_WRITTEN_AT_ONCE = 500
_OUTAGES = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose connections are counted together.

    Attributes:
        name: `user:<id>` or `address:<address or network>`.
        setting: That limits them.
        limit: To this many.
    """

    name: str
    setting: str
    limit: int


class Tally:
    """One process' part in it. `counts` is what the process has by the names of subjects, always up to date."""

    def __init__(self, redis: Redis, installation: str, counts: Mapping[str, int]) -> None:
        """`installation` keeps apart those that share a Redis (`Addresses.installation`)."""
        self._redis = redis
        self._prefix = f"fluxbase:{{{installation}:sockets}}:"  # one slot of a cluster
        self._counts = counts
        self._script = redis.register_script(_CLAIM)
        self._process = uuid4().hex
        self._former = set[str]()  # names of this process that may still count
        self._lock = asyncio.Lock()  # what is written of a subject must arrive in its order
        self._changed = set[str]()
        self._wake = asyncio.Event()
        self._wake.set()
        self._stale, self._away = True, False
        self._away_until = self._renewed_at = 0.0

    @property
    def shared(self) -> bool:
        """Whether the other processes know of everything here; not while Redis is away."""
        return not self._stale

    async def claim(self, subjects: Sequence[Subject]) -> Subject | None:
        """Write down that `subjects` have what `counts` says, unless all processes together then have too many.

        Returns the subject that would; `release` is for the caller to do. While Redis is away there is none: each
        process has its own count alone.
        """
        async with self._lock:
            if time.monotonic() < self._away_until:
                return None
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    refused = await self._ask(subjects)
            except _OUTAGES as error:
                self._lose(error)
                return None
        return subjects[refused - 1] if refused else None

    def release(self, subjects: Sequence[Subject]) -> None:
        """Write down, soon, what `counts` says of `subjects`."""
        self._changed.update(subject.name for subject in subjects)
        self._wake.set()

    async def run(self) -> None:
        """Keep what is written true, until cancelled."""
        await repeat("realtime tally", self._step, every_seconds=0)

    async def leave(self) -> None:
        """This process has none from now on."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._forget(self._process)
        except _OUTAGES as error:
            logger.warning("connections still counted", seconds=LEASE_SECONDS, error=f"{type(error).__name__}: {error}")

    async def _step(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_SECONDS):
                await self._wake.wait()
        await asyncio.sleep(self._away_until - time.monotonic())
        self._wake.clear()
        async with self._lock:
            try:
                await self._catch_up()
            except _OUTAGES as error:
                self._lose(error)

    async def _catch_up(self) -> None:
        if not self._stale:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._ask(())
        if self._stale:
            await self._begin_anew()
        elif time.monotonic() > self._renewed_at + _RENEWED_SECONDS:
            await self._write_all()
        changed, self._changed = self._changed, set[str]()  # when this fails, everything is written anew
        await self._write(changed)

    async def _begin_anew(self) -> None:
        """Under another name: nothing of what stands under the old one, right or wrong, counts from then on."""
        self._former.add(self._process)
        self._process = uuid4().hex
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await self._ask(())
            await self._forget(*self._former)
        self._former.clear()
        await self._write_all()
        self._stale = False
        if self._away:
            self._away = False
            logger.info("connection limits count over all processes again", subjects=len(self._counts))

    async def _write_all(self) -> None:
        names, self._changed = {*self._counts, *self._changed}, set[str]()  # who has none now still stands in Redis
        await self._write(names)
        self._renewed_at = time.monotonic()

    async def _ask(self, subjects: Sequence[Subject]) -> int:
        figures = [figure for one in subjects for figure in (self._counts.get(one.name, 0), one.limit)]
        refused, fresh = await self._script(
            keys=[self._living, *(self._prefix + one.name for one in subjects)],
            args=[self._process, int(LEASE_SECONDS * 1000), int(_KEPT_SECONDS * 1000), *figures],
        )
        if fresh and not self._stale:
            self._stale = True  # Redis was emptied, or this process was silent for too long
            self._wake.set()
        return refused

    async def _write(self, names: Iterable[str]) -> None:
        for some in batched(tuple(names), _WRITTEN_AT_ONCE):
            pipe: Any = self._redis.pipeline(transaction=False)  # redis-py types a pipeline as its plain client
            for name in some:
                if count := self._counts.get(name, 0):
                    pipe.hset(self._prefix + name, self._process, count)
                    pipe.pexpire(self._prefix + name, int(_KEPT_SECONDS * 1000))
                else:
                    pipe.hdel(self._prefix + name, self._process)
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await pipe.execute()

    async def _forget(self, *processes: str) -> None:
        await self._redis.zrem(self._living, *processes)  # pyright: ignore[reportUnknownMemberType] -- **kwargs untyped

    def _lose(self, error: BaseException) -> None:
        if not self._away:
            logger.warning("connection limits count in this process alone", error=f"{type(error).__name__}: {error}")
        self._stale = self._away = True
        self._away_until = time.monotonic() + _AWAY_SECONDS
        self._wake.set()

    @property
    def _living(self) -> str:
        return f"{self._prefix}processes"

"""Budgets of GitHub's calls, shared by all processes through Redis: what one hears from GitHub all of them go by.

The decisions are `allowance`'s; here they are made one after another, whichever processes make them: what a decision
was based on is still what Redis holds, or it is made anew.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from flakeguard.github.api.allowance import Allowance, Refused, Told, hear, packed, roomy, take, unpacked
from flakeguard.github.errors import RateLimitedError
from flakeguard.worker.metrics import GitHubMetrics

logger = structlog.get_logger(__name__)

# What is held when that is not what the caller thought, and nothing is changed; else nothing. What a flushed Redis has
# lost, the next process that asks brings back.
_SWAP = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return held end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return false
"""
_MOST_ROUNDS = 20  # each of them is another process's success
_PATIENCE_SECONDS = 0.5
_AWAY_SECONDS = 2.0
_SHARED_EVERY_SECONDS = 1.0  # while there is plenty: two trips to Redis for each call cost a tenth of the call
_KEPT_BEYOND_SECONDS = 60.0


@dataclass(slots=True)
class _Kept:
    """What this process knows, and goes by alone while Redis is away; `text` is what Redis held at `shared_at`."""

    known: Allowance = field(default_factory=Allowance)
    text: str = ""
    shared_at: float = -math.inf
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Budgets:
    """Of one GitHub; by installation's id, and `app` for what the App asks as itself.

    Each step is shared at once, except while plenty is left: then once a second.
    Without a `redis`, and while it is away, each process goes by what GitHub answers it.
    """

    def __init__(
        self, redis: Redis | None, installation: str, now: Callable[[], datetime], metrics: GitHubMetrics
    ) -> None:
        """`installation` keeps apart those that share a Redis (`Addresses.installation`)."""
        self._redis: Any = redis
        self._prefix = f"flakeguard:{installation}:github-budget:"
        self._now = now
        self._metrics = metrics
        self._kept: dict[str, _Kept] = {}
        self._away_until = 0.0

    async def take(self, budget: int | str, *, can_wait: bool = False) -> None:
        """Before a call. One that `can_wait` leaves the reserve to those that cannot.

        Raises:
            RateLimitedError: It would be one too many, or GitHub asked to be left alone: GitHub is not asked.
        """
        known, refused = await self._step(budget, lambda known, now: take(known, now, can_wait=can_wait))
        if refused is None:
            return
        if known.remaining is not None:
            self._metrics.remaining(budget, known.remaining)
        raise RateLimitedError(refused.seconds, reserved=refused.reserved)

    async def hear(self, budget: int | str, told: Told) -> None:
        """After an answer, of whatever kind."""
        if told.remaining is not None:
            self._metrics.remaining(budget, told.remaining)
        await self._step(budget, lambda known, now: (hear(known, told, now), None))

    async def known(self, budget: int | str) -> Allowance:
        """What is known now."""
        known, _ = await self._step(budget, lambda known, now: (known if known.ends_at() > now else Allowance(), None))
        return known

    async def _step(
        self, budget: int | str, decide: Callable[[Allowance, float], tuple[Allowance, Refused | None]]
    ) -> tuple[Allowance, Refused | None]:
        kept = self._kept.setdefault(str(budget), _Kept())
        async with kept.turn:
            now = self._now().timestamp()
            after, refused = decide(kept.known, now)
            if roomy(after, now) and time.monotonic() - kept.shared_at < _SHARED_EVERY_SECONDS:
                kept.known = after
                return after, refused
            for _ in range(_MOST_ROUNDS):
                held = await self._swap(budget, kept.text, after, now)
                if held is None:
                    kept.known, kept.text, kept.shared_at = after, packed(after), time.monotonic()
                    return after, refused
                kept.text, now = held, self._now().timestamp()
                after, refused = decide(unpacked(held), now)
            return after, refused

    async def _swap(self, budget: int | str, before: str, after: Allowance, now: float) -> str | None:
        """None when it was changed, or Redis cannot be asked; else what it holds."""
        if self._redis is None or time.monotonic() < self._away_until:
            return None
        lasts = max(after.ends_at() - now, 0.0) + _KEPT_BEYOND_SECONDS
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._redis.eval(
                    _SWAP, 1, f"{self._prefix}{budget}", before, packed(after), math.ceil(lasts * 1000)
                )
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            logger.warning("GitHub's budget is not shared", error=f"{type(error).__name__}: {error}")
            return None

"""A token bucket per client, shared by all processes through Redis, without asking Redis for each request.

A process *leases* some tokens of a bucket at a time and spends them itself. What is leased has left the bucket, so all
processes together never let through more than `burst + seconds x requests_per_second`. The price is on the other side:
a process may refuse a client while another still holds up to a batch (a tenth of a second's tokens) for it. Leases end
after a second; what was not spent goes back.
"""

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

logger = structlog.get_logger(__name__)

# tokens = what the bucket holds; one Redis clock for all processes. Returns what was granted and what is left.
_LEASE = """
local rate, burst, wanted, back = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(held[1]) or burst
local elapsed = math.max(0, now - (tonumber(held[2]) or now))
tokens = math.min(burst, tokens + elapsed * rate + back)
local granted = math.min(wanted, math.floor(tokens))
tokens = tokens - granted
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {granted, tostring(tokens)}
"""
_LEASE_SECONDS = 1.0
_PATIENCE_SECONDS = 0.5
_AWAY_SECONDS = 1.0
_MOST_LEASES = 20_000
_LARGEST_BATCH = 1000


class Verdict(NamedTuple):
    """Whether a request may pass, and what its client is told.

    Attributes:
        allowed: It may.
        remaining: Requests that would pass now, as far as this process knows.
        retry_after_seconds: Until the next one may pass; 0 when this one may.
        reset_seconds: Until the bucket is full again.
    """

    allowed: bool
    remaining: int
    retry_after_seconds: float
    reset_seconds: float


@dataclass(slots=True)
class _Lease:
    tokens: int = 0
    ends_at: float = 0.0
    left: float = 0.0  # in the bucket, when it was last asked
    refused_until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def spend(self, now: float) -> bool:
        if self.tokens < 1 or now >= self.ends_at:
            return False
        self.tokens -= 1
        return True


class TokenBucket:
    """Buckets of one size, by subject (a key, a user, an address)."""

    def __init__(self, redis: Redis, installation: str, *, requests_per_second: float, burst: int) -> None:
        """`installation` keeps apart those that share a Redis (`Addresses.installation`)."""
        self._prefix = f"fluxbase:{installation}:bucket:"
        self._rate, self._burst = requests_per_second, burst
        self._batch = int(min(max(min(requests_per_second, burst) / 10, 1), _LARGEST_BATCH))
        self._script = redis.register_script(_LEASE)
        self._leases: dict[str, _Lease] = {}
        self._away_until = 0.0

    @property
    def limit(self) -> int:
        """How many requests may come at once."""
        return self._burst

    async def take(self, subject: str) -> Verdict:
        """One token of `subject`. While Redis is away everything may pass, and a warning is logged once a second."""
        now = time.monotonic()
        lease = self._lease_of(subject, now)
        if lease.spend(now):
            return self._allowed(lease)
        if now < self._away_until:
            return Verdict(allowed=True, remaining=self._burst, retry_after_seconds=0, reset_seconds=0)
        async with lease.lock:  # one question to Redis at a time; who waited finds its answer
            now = time.monotonic()
            if lease.spend(now):
                return self._allowed(lease)
            if now < lease.refused_until:
                return self._refused(lease, lease.refused_until - now)
            return await self._ask(subject, lease)

    async def _ask(self, subject: str, lease: _Lease) -> Verdict:
        back, lease.tokens = lease.tokens, 0
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                granted, left = await self._script(
                    keys=[self._prefix + subject], args=[self._rate, self._burst, self._batch, back]
                )
        except (RedisError, OSError, TimeoutError) as error:
            # Open when Redis is away, as the other limits are: refusing everybody would be the greater harm.
            self._away_until = time.monotonic() + _AWAY_SECONDS
            logger.warning("rate limit not checked", limit="requests", error=f"{type(error).__name__}: {error}")
            return Verdict(allowed=True, remaining=self._burst, retry_after_seconds=0, reset_seconds=0)
        now = time.monotonic()
        lease.left = float(left)
        if granted < 1:
            wait = (1 - lease.left) / self._rate
            lease.refused_until = now + wait
            return self._refused(lease, wait)
        lease.tokens, lease.ends_at = int(granted) - 1, now + _LEASE_SECONDS
        return self._allowed(lease)

    def _allowed(self, lease: _Lease) -> Verdict:
        held = lease.tokens + lease.left
        return Verdict(
            allowed=True,
            remaining=int(held),
            retry_after_seconds=0,
            reset_seconds=max(0.0, self._burst - held) / self._rate,
        )

    def _refused(self, lease: _Lease, wait: float) -> Verdict:
        return Verdict(
            allowed=False,
            remaining=0,
            retry_after_seconds=wait,
            reset_seconds=math.ceil((self._burst - lease.left) / self._rate),
        )

    def _lease_of(self, subject: str, now: float) -> _Lease:
        lease = self._leases.get(subject)
        if lease is None:
            if len(self._leases) >= _MOST_LEASES:
                self._leases = {name: kept for name, kept in self._leases.items() if kept.ends_at > now}
            lease = self._leases[subject] = _Lease()
        return lease

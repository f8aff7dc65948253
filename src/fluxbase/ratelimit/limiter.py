"""Moving-window limits on Redis, by the `limits` library."""

import asyncio
import math
import time
from typing import Any

import structlog
from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from limits.aio.strategies import RateLimiter as RateLimiterStrategy
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.requests import HTTPConnection

from fluxbase.errors import RateLimitError
from fluxbase.monitoring.metrics import Metrics, metrics_of
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

# A limit is asked on the way to the work; it must not take longer than the work.
_PATIENCE_SECONDS = 1.0


class _OurClient(RedisStorage):
    """limits speaks through the process's own client, of a server or of a cluster; its address is never dialled."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        super().__init__("redis://127.0.0.1:6379", implementation="redispy", key_prefix=prefix)

    def configure_bridge(self) -> None:
        bridge: Any = self.bridge
        bridge.storage = self._redis
        bridge.connection_getter = self._connection

    def _connection(self, readonly: bool) -> Redis:  # noqa: FBT001 -- as limits calls it
        del readonly
        return self._redis


class RateLimiter:
    """Counts per name and subject over the last minute."""

    def __init__(self, redis: Redis, installation: str, metrics: Metrics) -> None:
        """`installation` keeps apart those that share a Redis (`Addresses.installation`)."""
        self._metrics = metrics
        storage = _OurClient(redis, f"fluxbase:{installation}:limits")
        self._window = MovingWindowRateLimiter(storage)
        self._counter = SlidingWindowCounterRateLimiter(storage)

    async def check(self, name: str, subject: str, *, per_minute: int) -> None:
        """Count one more `name` by `subject`, unless `per_minute` of them happened in the last 60 seconds.

        Raises:
            RateLimitError: Too many; says after how many seconds the next one is let through.
        """
        await self._check(self._window, RateLimitItemPerMinute(per_minute), name, subject, "minute")

    async def check_hourly(self, name: str, subject: str, *, per_hour: int) -> None:
        """As `check`, for the last hour: by two counters instead of a list of an hour's requests, so to within a few.

        Raises:
            RateLimitError: Too many; says after how many seconds the next one is let through.
        """
        await self._check(self._counter, RateLimitItemPerHour(per_hour), name, subject, "hour")

    async def _check(
        self, window: RateLimiterStrategy, item: RateLimitItem, name: str, subject: str, span: str
    ) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                if await window.hit(item, name, subject):
                    return
                reset = (await window.get_window_stats(item, name, subject)).reset_time
        except (RedisError, OSError, TimeoutError) as error:
            # Open when Redis is away: a limit protects against too much of a good thing, and refusing every upload
            # and every sign-in because a counter is lost would be the greater harm. Passwords stay bcrypt-slow.
            logger.warning("rate limit not checked", limit=name, error=f"{type(error).__name__}: {error}")
            return
        wait = max(1, math.ceil(reset - time.time()))
        self._metrics.rate_limit_hits.labels(name).inc()
        logger.warning(
            "rate limit exceeded", limit=name, subject=subject, rate=f"{item.amount}/{span}", retry_after_seconds=wait
        )
        article = "an" if span == "hour" else "a"
        raise RateLimitError(
            f"More than {item.amount} requests in {article} {span}. Try again in {wait} seconds.",
            retry_after_seconds=wait,
        )


def limiter_of(request: HTTPConnection) -> RateLimiter:
    """The application's limiter, made when first asked for."""
    state = request.app.state
    limiter: RateLimiter | None = getattr(state, "rate_limiter", None)
    if limiter is None:
        resources: Resources = state.resources
        limiter = RateLimiter(resources.redis, resources.addresses.installation, metrics_of(request.app))
        state.rate_limiter = limiter
    return limiter

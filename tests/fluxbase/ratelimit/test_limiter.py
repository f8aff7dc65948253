"""Limits on Redis: shared by processes, gone with Redis, counted and logged."""

import asyncio
import io

import pytest

from fluxbase.errors import RateLimitError
from fluxbase.monitoring import Metrics, configure_logging
from fluxbase.ratelimit import RateLimiter, address_subject
from fluxbase.resources import connect_redis


async def allowed(limiter: RateLimiter, times: int, *, subject: str = "a", per_minute: int = 5) -> int:
    passed, waits = 0, []
    for _ in range(times):
        try:
            await limiter.check("test", subject, per_minute=per_minute)
            passed += 1
        except RateLimitError as error:
            waits.append(error.retry_after_seconds)
    assert all(1 <= wait <= 60 for wait in waits)
    return passed


async def test_so_many_a_minute_and_no_more_for_each_subject(resources):
    metrics, stream = Metrics(), io.StringIO()
    configure_logging(stream=stream)
    limiter = RateLimiter(resources.redis, "test", metrics)
    assert await allowed(limiter, 8) == 5
    assert await allowed(limiter, 1, subject="b") == 1
    assert metrics.registry.get_sample_value("fluxbase_rate_limit_hits_total", {"limit": "test"}) == 3
    assert stream.getvalue().count('"rate limit exceeded"') == 3


async def test_two_processes_share_one_count(resources, addresses):
    elsewhere = connect_redis(addresses.redis_url)
    limiters = [RateLimiter(redis, "test", Metrics()) for redis in (resources.redis, elsewhere)]
    counts = await asyncio.gather(*(allowed(limiter, 4) for limiter in limiters))
    await elsewhere.aclose()
    assert sum(counts) == 5


async def test_installations_on_one_redis_do_not_share(resources):
    one, other = (RateLimiter(resources.redis, name, Metrics()) for name in ("one", "other"))
    assert [await allowed(one, 7), await allowed(other, 7)] == [5, 5]


async def test_the_next_is_let_through_when_the_window_has_moved_on(resources):
    limiter = RateLimiter(resources.redis, "test", Metrics())
    assert await allowed(limiter, 3, per_minute=2) == 2
    (key,) = [key async for key in resources.redis.scan_iter("fluxbase:test:limits*")]
    # The window is a list of times, newest first: make the oldest one older than a minute.
    oldest = float(await resources.redis.lindex(key, -1))
    await resources.redis.lset(key, -1, oldest - 61)
    assert await allowed(limiter, 1, per_minute=2) == 1


async def test_without_redis_everything_is_let_through_and_said_so(free_port):
    stream = io.StringIO()
    configure_logging(stream=stream)
    nowhere = connect_redis(f"redis://127.0.0.1:{free_port}/0")
    assert await allowed(RateLimiter(nowhere, "test", Metrics()), 7) == 7
    await nowhere.aclose()
    assert stream.getvalue().count('"rate limit not checked"') == 7


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    ("address", "subject"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("testclient", "testclient"),
        (None, "local"),
    ],
)
def test_a_customer_is_counted_once_whatever_address_they_use(address, subject):
    assert address_subject(address) == subject

"""The token bucket of every client: shared by processes, exact upwards, open when Redis is away."""

import asyncio
import time

import pytest

from fluxbase.ratelimit.bucket import TokenBucket
from fluxbase.resources import Resources, connect_redis


def bucket(resources: Resources, *, rate: float = 0.001, burst: int = 100, installation: str = "test") -> TokenBucket:
    return TokenBucket(resources.redis, installation, requests_per_second=rate, burst=burst)


async def let_through(taker: TokenBucket, times: int, subject: str = "a") -> int:
    return sum([(await taker.take(subject)).allowed for _ in range(times)])


@pytest.mark.parametrize(("rate", "burst"), [(0.001, 1), (0.001, 7), (50, 100), (1000, 3)])
async def test_a_burst_and_no_more(resources, rate, burst):
    taker, started = bucket(resources, rate=rate, burst=burst), time.monotonic()
    passed = await let_through(taker, burst + 20)
    assert burst <= passed <= burst + (time.monotonic() - started) * rate + 1


async def test_processes_share_it_and_together_let_no_more_through(resources):
    processes = [bucket(resources, rate=20, burst=100) for _ in range(3)]
    started = time.monotonic()
    passed = sum(await asyncio.gather(*(let_through(process, 100) for process in processes)))
    most = 100 + (time.monotonic() - started) * 20 + 1
    assert 100 - 3 * 2 <= passed <= most  # each may still hold a batch, which is 2 here


async def test_many_at_once_find_what_one_of_them_fetched(resources):
    taker = bucket(resources, rate=100, burst=200)
    verdicts = await asyncio.gather(*(taker.take("a") for _ in range(200)))
    assert all(verdict.allowed for verdict in verdicts)


async def test_subjects_do_not_share(resources):
    taker = bucket(resources, burst=2)
    assert [await let_through(taker, 4, subject) for subject in "ab"] == [2, 2]


async def test_installations_on_one_redis_do_not_share(resources):
    assert [await let_through(bucket(resources, burst=2, installation=name), 4) for name in ("one", "other")] == [2, 2]


async def test_it_fills_again(resources):
    taker = bucket(resources, rate=50, burst=2)
    assert await let_through(taker, 5) >= 2
    refused = await taker.take("a")
    while (refused := await taker.take("a")).allowed:
        pass
    assert 0 < refused.retry_after_seconds <= 0.02
    async with asyncio.timeout(5):
        while not (await taker.take("a")).allowed:  # noqa: ASYNC110 -- time is what is waited for
            await asyncio.sleep(0.005)


async def test_what_was_leased_and_not_spent_goes_back(resources, monkeypatch):
    monkeypatch.setattr("fluxbase.ratelimit.bucket._LEASE_SECONDS", 0.0)
    taker = bucket(resources, rate=20, burst=20)  # leases of two, over before the second is spent
    assert await let_through(taker, 20) == 20


async def test_few_requests_ask_redis(resources, monkeypatch):
    taker, asked = bucket(resources, rate=100, burst=1000), 0
    script = taker._script

    async def counted(**call):
        nonlocal asked
        asked += 1
        return await script(**call)

    monkeypatch.setattr(taker, "_script", counted)
    assert await let_through(taker, 500) == 500
    assert asked == 50


async def test_without_redis_everything_passes_and_nobody_waits_twice():
    redis = connect_redis("redis://127.0.0.1:1/0")
    taker = TokenBucket(redis, "test", requests_per_second=1, burst=1)
    assert await let_through(taker, 50) == 50
    await redis.aclose()


async def test_redis_forgets_a_bucket_that_is_full_again(resources):
    taker = bucket(resources, rate=10, burst=20)
    for subject in "abc":
        await taker.take(subject)
    left = [await resources.redis.pttl(key) async for key in resources.redis.scan_iter("fluxbase:test:bucket:*")]
    assert len(left) == 3
    assert all(0 < milliseconds <= 3000 for milliseconds in left)


async def test_memory_is_bounded(resources, monkeypatch):
    monkeypatch.setattr("fluxbase.ratelimit.bucket._MOST_LEASES", 10)
    monkeypatch.setattr("fluxbase.ratelimit.bucket._LEASE_SECONDS", 0.0)
    taker = bucket(resources)
    for number in range(50):
        await taker.take(str(number))
    assert len(taker._leases) <= 11

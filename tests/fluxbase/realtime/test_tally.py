"""Limits on connections count over all processes, whatever becomes of the processes and of Redis."""

import asyncio
import logging
from collections import Counter
from contextlib import asynccontextmanager

import httpx
import pytest

from fluxbase.realtime import tally
from fluxbase.realtime.tally import Subject, Tally
from fluxbase.repeating import beside
from fluxbase.resources import connect_redis

from ..failure.cable import cable_to_redis
from .conftest import sign_up
from .serving import serving

ADA = "user:ada"


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A busy machine is no Redis that is away, which lets all in."""
    monkeypatch.setattr(tally, "_PATIENCE_SECONDS", 20)


class Process:
    """What a server process does: count, claim, and take it back when it was refused."""

    def __init__(self, redis, installation="test"):
        self.counts = Counter()
        self.tally = Tally(redis, installation, self.counts)

    async def enter(self, limit, name=ADA):
        self.counts[name] += 1
        refused = await self.tally.claim([Subject(name, "a setting", limit)])
        if refused is not None:
            self.leave(name)
        return refused is None

    def leave(self, name=ADA):
        self.counts[name] -= 1
        self.counts += Counter()  # who has none is not in it
        self.tally.release([Subject(name, "a setting", 0)])

    @asynccontextmanager
    async def running(self):
        async with beside(self.tally.run(), name="tally"):
            await until(lambda: self.tally.shared)
            yield self


async def until(holds):
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 -- as operators find out
            await asyncio.sleep(0.01)


async def until_entered(process, limit):
    async with asyncio.timeout(10):
        while not await process.enter(limit):  # noqa: ASYNC110 -- as clients find out
            await asyncio.sleep(0.02)


async def test_exactly_as_many_as_may_get_in_when_all_come_at_once(resources):
    processes = [Process(resources.redis) for _ in range(3)]
    entered = await asyncio.gather(*(process.enter(10) for process in processes for _ in range(6)))
    assert sum(entered) == 10 == sum(process.counts[ADA] for process in processes)
    assert await Process(resources.redis, "another installation").enter(1)
    assert await processes[0].enter(1, "user:eve")


async def test_whoever_left_is_not_counted_and_neither_is_a_process_that_ended(resources):
    async with Process(resources.redis).running() as one, Process(resources.redis).running() as two:
        assert [await one.enter(3), await one.enter(3), await two.enter(3), await two.enter(3)] == [True] * 3 + [False]
        one.leave()
        await until_entered(two, 3)
        assert not await one.enter(3)
    await one.tally.leave()
    assert await two.enter(3)


async def test_the_first_subject_that_has_too_many_is_named_and_none_is_counted(resources):
    one, two = Process(resources.redis), Process(resources.redis)
    assert await one.enter(1)
    two.counts.update({"address:a": 1, ADA: 1})
    both = [Subject("address:a", "per address", 1), Subject(ADA, "per user", 1)]
    assert await two.tally.claim(both) == both[1]
    assert await one.enter(1, "address:a"), "what was refused left no trace"


async def test_a_process_that_is_heard_no_more_is_not_counted(resources, monkeypatch):
    monkeypatch.setattr(tally, "LEASE_SECONDS", 0.3)
    monkeypatch.setattr(tally, "BEAT_SECONDS", 0.05)
    killed = Process(resources.redis)
    async with Process(resources.redis).running() as living:
        assert await living.enter(2)
        assert await killed.enter(2)
        assert not await living.enter(2)
        await until_entered(living, 2)
        # It was only asleep: what it has counts again, under its name or another.
        async with killed.running():
            assert not await killed.enter(3)
            assert await living.enter(4)
        assert not await living.enter(3)
    (left,) = [key async for key in resources.redis.scan_iter("fluxbase:{test:sockets}:user:*")]
    assert await resources.redis.hlen(left) <= 2, "nothing is left of names that lapsed"


async def test_what_redis_loses_is_written_down_anew(resources, monkeypatch):
    monkeypatch.setattr(tally, "BEAT_SECONDS", 0.05)
    async with Process(resources.redis).running() as one, Process(resources.redis).running() as two:
        assert await one.enter(2)
        assert await two.enter(2)
        await resources.redis.flushdb()
        async with asyncio.timeout(10):
            while await resources.redis.hlen(f"fluxbase:{{test:sockets}}:{ADA}") < 2:  # noqa: ASYNC110 -- Redis does not tell
                await asyncio.sleep(0.01)
        assert not await two.enter(2)
        assert not await one.enter(2)


async def test_counts_are_renewed_before_they_expire(resources, monkeypatch):
    monkeypatch.setattr(tally, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(tally, "_RENEWED_SECONDS", 0.1)
    key = f"fluxbase:{{test:sockets}}:{ADA}"
    async with Process(resources.redis).running() as one, asyncio.timeout(10):
        assert await one.enter(1)
        left = await resources.redis.pttl(key)
        assert left > 0
        while (now := await resources.redis.pttl(key)) <= left:
            left = now
            await asyncio.sleep(0.005)


async def test_who_leaves_while_counts_are_renewed_is_not_counted(resources, monkeypatch):
    monkeypatch.setattr(tally, "_RENEWED_SECONDS", 0.0)  # each step renews
    async with Process(resources.redis).running() as one:
        assert await one.enter(1)
        one.leave()
        await until_entered(Process(resources.redis), 1)


async def test_no_name_of_a_time_without_redis_counts(resources, addresses, monkeypatch):
    monkeypatch.setattr(tally, "_AWAY_SECONDS", 0.05)
    async with cable_to_redis(addresses) as (cable, through):
        redis = connect_redis(through.redis_url)
        async with Process(redis).running() as one:
            assert await one.enter(1)
            await cable.pull()
            assert await one.enter(2)  # noticed here
            names = {one.tally._process}
            async with asyncio.timeout(10):
                while len(names) < 3:  # several tries in vain
                    names.add(one.tally._process)
                    await asyncio.sleep(0.01)
            await cable.plug()
            await until(lambda: one.tally.shared)
            assert await resources.redis.zcard("fluxbase:{test:sockets}:processes") == 1
        await redis.aclose()


async def test_one_question_to_connect_and_few_to_close(resources, monkeypatch):
    asked = 0
    execute = resources.redis.connection_pool.connection_class.send_packed_command

    async def counted(self, *arguments, **named):
        nonlocal asked
        asked += 1
        return await execute(self, *arguments, **named)

    async with Process(resources.redis).running() as one:
        await one.enter(1000)  # the script is there from now on
        monkeypatch.setattr(resources.redis.connection_pool.connection_class, "send_packed_command", counted)
        for _ in range(50):
            assert await one.enter(1000)
        assert asked <= 52  # a beat may come between
        for _ in range(50):
            one.leave()
        assert not await Process(resources.redis).enter(1)
        await until(lambda: asked >= 54)
        assert asked <= 58


async def test_redis_gone_and_back(resources, addresses, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(tally, "_AWAY_SECONDS", 0.05)
    async with cable_to_redis(addresses) as (cable, through):
        redis = connect_redis(through.redis_url)
        async with Process(redis).running() as one, Process(resources.redis).running() as two:
            assert await two.enter(2)
            assert await one.enter(2)
            assert not await one.enter(2)
            await cable.pull()
            assert await one.enter(2), "by its own count, which is one"
            assert not one.tally.shared
            one.leave()
            assert await one.enter(3)
            await cable.plug()
            await until(lambda: one.tally.shared)
            assert not await two.enter(3), "which knows of the one that came meanwhile"
            one.leave()
            await until_entered(two, 3)
        await redis.aclose()
    assert caplog.text.count("connection limits count in this process alone") == 1
    assert caplog.text.count("connection limits count over all processes again") == 1


async def test_sockets_of_two_servers(settings, addresses, notes):
    few = settings.model_copy(update={"realtime_max_connections_per_user": 2, "realtime_max_connections_per_ip": 4})
    async with serving(few, addresses) as one, serving(few, addresses) as two:
        async with httpx.AsyncClient(base_url=one.url) as client:
            token = (await sign_up(client, "ada@example.com"))["access_token"]
        async with one.client(token) as first, two.client(token) as second:
            await first.join("x")
            await second.join("x")
            async with two.client(token) as third:
                assert (await third.closed())[1] == "too many connections: realtime.max_connections_per_user is 2"
            async with one.client() as anonymous, two.client() as another:
                await another.join("x")
                assert (await anonymous.ask(type="access_token", token=token))["payload"][
                    "code"
                ] == "too_many_connections"
                async with one.client() as fifth:
                    assert (await fifth.closed())[1] == "too many connections: realtime.max_connections_per_ip is 4"
        assert one.realtime.stats()["limits_shared"]

"""Connections at hand: handed over, given back, replaced when they broke; never more than there may be."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from fluxbase.db import Database, pool
from fluxbase.db.pool import Pool, _is_open
from fluxbase.resources import Addresses


@pytest.fixture
async def two(addresses: Addresses) -> AsyncIterator[Pool]:
    database = await Database.open(addresses.runtime_dsn, max_connections=2)
    yield database.pool
    await asyncio.wait_for(database.close(), 5)


async def pid(connection: asyncpg.Connection) -> int:
    return await connection.fetchval("SELECT pg_backend_pid()")


async def test_what_is_at_hand_is_used_again(two: Pool) -> None:
    first = await two.acquire()
    two.release(first)
    assert two.get_idle_size() == two.get_size() == 1
    again = await two.acquire()
    assert again is first
    assert two.get_idle_size() == 0
    two.release(again)


async def test_who_waits_gets_the_next_one_in_their_order(two: Pool) -> None:
    held = [await two.acquire(), await two.acquire()]
    waiting = [asyncio.create_task(two.acquire()) for _ in range(3)]
    while two.waiting < 3:  # noqa: ASYNC110 -- a plain number
        await asyncio.sleep(0)
    two.release(held[0])
    two.release(held[1])
    assert [await waiting[0], await waiting[1]] == held
    assert not waiting[2].done()
    assert two.get_size() == 2
    await two.discard(held[0])
    third = await waiting[2]
    assert await pid(third) > 0
    two.release(held[1])
    two.release(third)


async def test_who_comes_while_a_connection_changes_hands_waits_behind(two: Pool) -> None:
    held = [await two.acquire(), await two.acquire()]
    waiting = asyncio.create_task(two.acquire())
    while not two.waiting:  # noqa: ASYNC110 -- a plain number
        await asyncio.sleep(0)
    two.release(held[0])  # the one who waits has it, and has not run yet
    late = asyncio.create_task(two.acquire(5))
    assert await waiting is held[0]
    two.release(held[0])
    assert await late is held[0]
    two.release(held[0])
    two.release(held[1])
    assert two.get_idle_size() == 2


async def test_many_share_few(two: Pool) -> None:
    async def one(number: int) -> int:
        connection = await two.acquire(10)
        await connection.fetchval("SELECT pg_sleep(0.001)")
        if number % 7 == 0:
            await two.discard(connection)
        else:
            two.release(connection)
        return number

    assert sorted(await asyncio.gather(*map(one, range(100)))) == list(range(100))
    assert two.get_idle_size() == two.get_size() <= 2


async def test_waiting_ends_in_time(two: Pool) -> None:
    held = [await two.acquire(), await two.acquire()]
    with pytest.raises(TimeoutError):
        await two.acquire(0.01)
    assert two.waiting == 0
    for connection in held:
        two.release(connection)


async def test_a_connection_given_to_whoever_left_goes_to_the_next(two: Pool) -> None:
    held = [await two.acquire(), await two.acquire()]
    leaving, staying = asyncio.create_task(two.acquire()), asyncio.create_task(two.acquire())
    while two.waiting < 2:  # noqa: ASYNC110 -- a plain number
        await asyncio.sleep(0)
    two.release(held[0])
    leaving.cancel()  # it has the connection, and has not run yet
    assert await asyncio.wait_for(staying, 5) is held[0]
    with pytest.raises(asyncio.CancelledError):
        await leaving
    two.release(held[0])
    two.release(held[1])
    assert two.get_idle_size() == 2


async def test_a_connection_that_ended_is_replaced(two: Pool, owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    connection = await two.acquire()
    before = await pid(connection)
    two.release(connection)
    await owner.execute("SELECT pg_terminate_backend($1)", before)
    while _is_open(connection):  # noqa: ASYNC110 -- the server's word is on its way
        await asyncio.sleep(0.01)
    other = await two.acquire()
    assert await pid(other) != before
    two.release(other)


async def test_a_connection_that_cannot_be_opened_takes_no_place(
    two: Pool, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await owner.execute("ALTER ROLE fluxbase_runtime CONNECTION LIMIT 0")
    try:
        first = two.acquire()  # one was opened with the pool
        held = await first
        for _ in range(3):
            with pytest.raises(asyncpg.TooManyConnectionsError):
                await two.acquire()
    finally:
        await owner.execute("ALTER ROLE fluxbase_runtime CONNECTION LIMIT -1")
    other = await two.acquire()
    two.release(other)
    two.release(held)


async def test_once_a_minute_all_goes_back_to_asyncpg(two: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_MINUTE", 0.01)
    connection = await two.acquire()
    two.release(connection)
    while not two._pool.get_idle_size():  # noqa: ASYNC110 -- a plain number
        await asyncio.sleep(0.01)
    assert two.get_idle_size() == two.get_size() == 1
    again = await two.acquire()
    assert await pid(again) > 0
    two.release(again)


async def test_a_place_that_becomes_free_is_not_taken_by_who_came_later(two: Pool) -> None:
    held = [await two.acquire(), await two.acquire()]
    waiting = asyncio.create_task(two.acquire(5))
    while not two.waiting:  # noqa: ASYNC110 -- a plain number
        await asyncio.sleep(0)
    leaving = asyncio.create_task(two.discard(held[0]))
    while two.waiting:  # noqa: ASYNC110 -- it was told of the place, and has not run yet
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await two.acquire(0.2)
    connection = await waiting
    await leaving
    two.release(connection)
    two.release(held[1])
    assert two.get_idle_size() == two.get_size() <= 2


async def test_whoever_leaves_with_a_place_leaves_it_to_others(two: Pool) -> None:
    held = [await two.acquire(), await two.acquire()]
    waiting = asyncio.create_task(two.acquire())
    while not two.waiting:  # noqa: ASYNC110 -- a plain number
        await asyncio.sleep(0)
    leaving = asyncio.create_task(two.discard(held[0]))
    while two.waiting:  # noqa: ASYNC110 -- a plain number
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, leaving, return_exceptions=True)
    two.release(await two.acquire(1))
    two.release(held[1])


async def test_closing_waits_for_what_is_in_use_and_no_longer(addresses: Addresses) -> None:
    database = await Database.open(addresses.runtime_dsn, max_connections=1)
    connection = await database.pool.acquire()
    waiting = asyncio.create_task(database.pool.acquire())
    while not database.pool.waiting:  # noqa: ASYNC110 -- a plain number
        await asyncio.sleep(0)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    database.pool.release(connection)
    assert await waiting is connection
    assert not closing.done()
    database.pool.release(connection)
    await asyncio.wait_for(closing, 5)

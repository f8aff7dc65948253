"""A LISTEN connection that comes back, and says that something may have been missed."""

import asyncio

from fluxbase.db.listener import Listener


async def test_it_hears_and_comes_back_and_says_that_it_was_away(addresses, owner):
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = asyncio.create_task(Listener(addresses.runtime_dsn, "doors", heard.put_nowait).run())
    try:
        async with asyncio.timeout(30):
            assert await heard.get() == "", "it listens from now on"
            await owner.execute("NOTIFY doors, 'front'")
            assert await heard.get() == "front"
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%doors%'"
            )
            assert await heard.get() == "", "it was away, and listens again"
            await owner.execute("NOTIFY doors, 'back'")
            assert await heard.get() == "back"
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)

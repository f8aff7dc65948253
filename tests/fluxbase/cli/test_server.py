"""A role that is told to stop ends in its own time: what is around the server is left properly."""

import asyncio
import os
import signal

from starlette.applications import Starlette

from fluxbase.serving import Server, serve_until_orphaned, server_config


async def test_sigterm_stops_the_server_and_not_the_process() -> None:
    raised_again: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: raised_again.append(number))
    try:
        told: list[str] = []
        server = Server(server_config(Starlette(), "127.0.0.1", 0), lambda: told.append("stop"))
        serving = asyncio.create_task(serve_until_orphaned(server))
        async with asyncio.timeout(20):
            while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
                await asyncio.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)
            await serving
        os.kill(os.getpid(), signal.SIGTERM)  # while what is around the server ends
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == ["stop"]
    assert raised_again == [], "raised once more, or told again, it would end the worker with its jobs under way"


async def test_a_server_that_stopped_by_itself_leaves_sigterm_as_it_was() -> None:
    before = signal.getsignal(signal.SIGTERM)
    server = Server(server_config(Starlette(), "127.0.0.1", 0), lambda: None)
    serving = asyncio.create_task(serve_until_orphaned(server))
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
            await asyncio.sleep(0.01)
        server.should_exit = True
        await serving
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_idle_connection_is_closed_by_who_asks_and_not_by_the_server() -> None:
    """Nginx, load balancers and most clients keep one for 60 seconds at most: nobody asks on what is being closed."""
    assert server_config(Starlette(), "127.0.0.1", 0).timeout_keep_alive > 60

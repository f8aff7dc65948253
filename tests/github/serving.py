"""Servers on loopback, on free ports, which start and end at once: uvicorn looks for its end by the clock."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from .sending import Connections


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """Its address, while the block lasts."""
    config = uvicorn.Config(Connections(app), log_config=None, access_log=False, lifespan="off", ws="none")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        await server.startup([listening])
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            await _end(server)


async def _end(server: uvicorn.Server) -> None:
    for one in server.servers:
        one.close()
    for connection in list(server.server_state.connections):
        connection.transport.abort()
    await asyncio.gather(*server.server_state.tasks, return_exceptions=True)

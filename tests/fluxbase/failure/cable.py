"""A TCP cable to a server, which can be pulled and plugged in again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from fluxbase.resources import Addresses


class Cable:
    """From a port of its own to `host` and `port`."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._server: asyncio.Server | None = None
        self._pulled: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def plug(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def pull(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._pulled):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection(*self._to)
        self._pulled |= {writer, to}
        with contextlib.suppress(OSError):
            await asyncio.gather(_copy(reader, to), _copy(there, writer))
        self._pulled -= {writer, to}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def cable_to_redis(addresses: Addresses) -> AsyncIterator[tuple[Cable, Addresses]]:
    """A plugged cable, and the addresses with Redis at its other end."""
    rest = addresses.redis_url.removeprefix("redis://")
    credentials, _, place = rest.rpartition("@")
    host, _, port_and_database = place.partition(":")
    port, _, database = port_and_database.partition("/")
    cable = Cable(host, int(port))
    await cable.plug()
    at = f"{credentials}@" if credentials else ""
    try:
        yield cable, replace(addresses, redis_url=f"redis://{at}127.0.0.1:{cable.port}/{database}")
    finally:
        await cable.pull()

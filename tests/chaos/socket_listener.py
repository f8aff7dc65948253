"""A client of realtime as the documents want one: it listens, and reads its table anew after a break or a gap."""

import asyncio
import json
import time
from collections import Counter

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from .load import Load
from .record import Record

_AGAIN_SECONDS = 0.1
_OPEN_SECONDS = 15


class SocketListener:
    """Knows of notes by `told`, and of others by having read them `anew`."""

    def __init__(self, load: Load, record: Record, port: int) -> None:
        self.told: Counter[str] = Counter()
        self.anew: set[str] = set()
        self.opened = 0
        self.gaps = 0
        self._load = load
        self._record = record
        self._port = port
        self._reading: set[asyncio.Task[None]] = set()

    def lacks(self) -> set[str]:
        """Notes that were acknowledged and that it never heard of."""
        return self._load.account.notes.keys() - self.told.keys() - self.anew

    async def run(self) -> None:
        """Listen until cancelled, again and again."""
        while True:
            before = self.opened
            try:
                url = f"ws://127.0.0.1:{self._port}/realtime?token={self._load.account.token}"
                async with connect(url, compression=None, proxy=None, open_timeout=_OPEN_SECONDS) as socket:
                    await self._listen(socket)
            except (OSError, InvalidHandshake, ConnectionClosed) as error:
                if self.opened > before:
                    code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd else None
                    self._record.broken_sockets.append((time.monotonic(), code))
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self, socket: ClientConnection) -> None:
        config = {"table": "notes", "event": "INSERT"}
        await socket.send(json.dumps({"type": "subscribe", "channel": "notes", "config": config}))
        while True:
            message = json.loads(await socket.recv())
            match message["type"]:
                case "ack":
                    self.opened += 1
                    self._read_anew()
                case "bulk":
                    self.gaps += 1
                    self._read_anew()
                case "error":
                    raise ConnectionError(message["payload"])  # it could not subscribe: begin again
                case "postgres_changes":
                    self._hear(message["payload"]["record"]["tag"])

    def _hear(self, tag: str) -> None:
        self.told[tag] += 1
        if (answered := self._load.account.notes.get(tag)) is not None:
            self._record.delays.append((time.monotonic(), time.monotonic() - answered))

    def _read_anew(self) -> None:
        # Beside listening: what is not read from the socket meanwhile makes us a slow client.
        task = asyncio.create_task(self._read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _read(self) -> None:
        self.anew |= await self._load.read_anew()

"""Fluxbase on a real port, and clients on real sockets."""

import asyncio
import json
import socket
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from fluxbase.app import create_app
from fluxbase.auth.access_tokens import issue_for_role
from fluxbase.realtime.service import Realtime
from fluxbase.resources import utc_now
from fluxbase.serving import server_config

PATIENCE = 10


class Site:
    """A running server process, as far as a test can tell."""

    def __init__(self, app, port, addresses):
        self.app = app
        self.port = port
        self.addresses = addresses
        self.url = f"http://127.0.0.1:{port}"

    @property
    def realtime(self) -> Realtime:
        return self.app.state.realtime

    @property
    def service_token(self) -> str:
        return issue_for_role(self.addresses.secret, "service_role", now=utc_now(), lifetime=timedelta(hours=1))

    @asynccontextmanager
    async def client(self, token=None, *, path="/realtime", headers=None):
        query = f"?token={token}" if token else ""
        async with connect(
            f"ws://127.0.0.1:{self.port}{path}{query}", additional_headers=headers, compression=None, proxy=None,
            ping_interval=None, max_size=None,
        ) as opened:  # fmt: skip
            yield Client(opened)


def read(text):
    """JSON, with integers too long for Python as text."""
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 1000 else digits)


class Client:
    """One socket; messages are taken by their type, others wait."""

    def __init__(self, opened):
        self.socket = opened
        self.waiting = []
        self._ref = 0

    async def send(self, **message):
        await self.socket.send(json.dumps(message))

    async def take(self, *kinds):
        for message in self.waiting:
            if message["type"] in kinds:
                self.waiting.remove(message)
                return message
        while True:
            message = read(await asyncio.wait_for(self.socket.recv(), PATIENCE))
            if message["type"] in kinds:
                return message
            self.waiting.append(message)

    async def ask(self, **message):
        """Send a request and return its answer, an ack or an error."""
        self._ref += 1
        await self.send(ref=self._ref, **message)
        while (answer := await self.take("ack", "error")).get("ref") != self._ref:
            self.waiting.append(answer)
        return answer

    async def subscribe(self, table, channel="changes", **config):
        answer = await self.ask(type="subscribe", channel=channel, config={"table": table, **config})
        assert answer["type"] == "ack", answer
        return answer["payload"]["subscription_id"]

    async def join(self, channel, *, own=False):
        answer = await self.ask(type="subscribe", channel=channel, config={"self": own})
        assert answer["type"] == "ack", answer

    async def change(self):
        return (await self.take("postgres_changes"))["payload"]

    async def nothing(self):
        """Everything that was sent before this question has come; none of it is a change, bulk or broadcast."""
        await self.ask(type="heartbeat_that_is_unknown")
        told = [one for one in self.waiting if one["type"] not in ("heartbeat", "ack", "error")]
        assert told == []

    async def closed(self):
        """The code and the reason with which the server closes."""
        with suppress(ConnectionClosed):
            while True:
                self.waiting.append(read(await asyncio.wait_for(self.socket.recv(), PATIENCE)))
        return self.socket.close_code, self.socket.close_reason


@asynccontextmanager
async def serving(settings, addresses):
    app = create_app(settings, addresses)
    server = uvicorn.Server(server_config(app, "127.0.0.1", 0))
    server.install_signal_handlers = lambda: None
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Site(app, port, addresses)
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, PATIENCE)


@asynccontextmanager
async def deaf(site):
    """A client that sends and never reads a byte: its receive buffer fills, and then ours."""
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", site.port))
        head = (
            f"GET /realtime?token={site.service_token} HTTP/1.1\r\nHost: x\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        raw.sendall(head.encode())
        # A client must not send before it is answered; it looks whether it was, and takes nothing.
        await asyncio.to_thread(raw.recv, 1, socket.MSG_PEEK)

        async def write(text):
            frame = Frame(Opcode.TEXT, text.encode())
            raw.sendall(frame.serialize(mask=True))

        yield write

"""A server in this process, until it is told to stop or whoever started it is gone."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from fluxbase.realtime.transport import WEBSOCKET_OPTIONS
from fluxbase.repeating import beside

_GRACE_SECONDS = 5
_IDLE_SECONDS = 75
"""How long a connection on which nothing is asked stays open: longer than proxies and clients (60 s of nginx and load
balancers, 5 s of httpx) keep theirs. Who closes first must be who asks: else a request meets a connection that is just
being closed, and its sender cannot know whether it was taken."""
_LOOK_FOR_PARENT_SECONDS = 1.0
SUPERVISED = "FLUXBASE_SUPERVISED"


class Server(uvicorn.Server):
    """Uvicorn that lets go of open event streams when it is told to stop."""

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit
        self.was_told = False  # to stop, by a signal

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop streams first: the server waits for its connections."""
        self._on_exit()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Take the signal as answered by stopping.

        Uvicorn raises it again when it has stopped. That would end the process there: with jobs under way, and without
        leaving the embedded servers, which the last to leave stops. For the same reason SIGTERM is said in vain from
        then on: systemd tells every process what their supervisor tells them again, while jobs are being finished.
        """
        with _deaf_to_sigterm_afterwards(self), super().capture_signals():
            yield
            self.was_told = bool(self._captured_signals)
            self._captured_signals.clear()


@contextlib.contextmanager
def _deaf_to_sigterm_afterwards(server: Server) -> Generator[None]:
    """Once the server has stopped because it was told to, the process goes on to its end whatever it is told."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are another's there
        return
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: None)  # what uvicorn puts back when it has stopped
    try:
        yield
    finally:
        if not server.was_told:
            signal.signal(signal.SIGTERM, before)


def server_config(app: ASGIApp, host: str, port: int) -> uvicorn.Config:
    """Uvicorn as every role runs it: our logs, our headers, no trust in what a client says of itself.

    Upgrades to WebSockets use the `websockets` library's sans-I/O core.
    """
    return uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, server_header=False, proxy_headers=False,
        timeout_keep_alive=_IDLE_SECONDS, timeout_graceful_shutdown=_GRACE_SECONDS, **WEBSOCKET_OPTIONS,
    )  # fmt: skip


async def serve_until_orphaned(server: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
    """Serve, on `sockets` if given; what a supervisor started also ends when that is gone, however it went."""
    supervised = bool(os.environ.get(SUPERVISED))
    async with beside(_watch_parent(server), name="parent watch") if supervised else contextlib.nullcontext():
        await server.serve(sockets)


async def _watch_parent(server: uvicorn.Server) -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 -- the kernel offers no event for it that works everywhere
        await asyncio.sleep(_LOOK_FOR_PARENT_SECONDS)
    server.handle_exit(signal.SIGTERM, None)


def shared_socket(host: str, port: int) -> socket.socket:
    """A socket that several processes may bind to one address; the kernel spreads connections evenly over them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    shared = socket.socket(family, socket.SOCK_STREAM)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # The loop sets this on sockets that it makes itself. Connections inherit it; without it head and body of an answer,
    # written one after the other, wait for the client's delayed acknowledgement: 40 ms each.
    shared.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    shared.bind((host, port))
    return shared

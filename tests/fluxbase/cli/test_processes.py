"""Several processes behind one address: one that dies is started again, and SIGTERM stops all."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fluxbase.embedded.ports import free_port
from fluxbase.resources import Addresses
from fluxbase.serving import shared_socket

from ...chaos.installation import listening_children


def until(what: str, holds: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return
        time.sleep(0.05)
    pytest.fail(f"{what}: not within {seconds} s")


def healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False, timeout=5).json()["status"] == "healthy"
    except httpx.HTTPError:
        return False


def scraped(url: str) -> dict[str, float]:
    """Health checks answered, by process."""
    text = httpx.get(f"{url}/metrics", trust_env=False, timeout=10).text
    line = r'^fluxbase_http_requests_total\{.*path="/health/live",process="(\d)".*\} (\S+)$'
    return {process: float(value) for process, value in re.findall(line, text, re.MULTILINE)}


def whole_metrics(url: str) -> None:
    """Whichever process answers a scrape, it knows of all; no counter ever goes back."""
    before, asked = 0.0, 0
    for _ in range(12):
        for _ in range(5):
            httpx.get(f"{url}/health/live", trust_env=False, timeout=10)
        asked += 5
        found = scraped(url)
        assert sum(found.values()) == asked > before
        before = sum(found.values())
    assert set(found) == {"1", "2"}, "the kernel gave both of them some"


class Sockets:
    """Anonymous sockets of realtime on one address, by the process that holds them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._held: dict[int, list[ExitStack]] = {}

    def open(self) -> int | None:
        """The process that took another one; None when it was refused."""
        stack = ExitStack()
        opened = stack.enter_context(
            connect(f"ws://127.0.0.1:{self._port}/realtime", proxy=None, ping_interval=None, close_timeout=1)
        )
        try:
            opened.send('{"type": "heartbeat", "ref": 1}')
            refused = json.loads(opened.recv(10))["type"] == "error"
        except ConnectionClosed:  # before it could ask
            refused = True
        if refused:
            stack.close()
            return None
        here = opened.local_address
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if any(one.raddr == here for one in process.net_connections("tcp4")):
                    self._held.setdefault(process.pid, []).append(stack)
                    return process.pid
        raise AssertionError(f"nobody holds {here}")

    def open_with(self, processes: set[int], each: int) -> None:
        """Until each of the processes holds as many; what comes to one that does is closed again."""
        for _ in range(500):
            if all(len(self._held.get(process, ())) == each for process in processes):
                return
            took = self.open()
            if took is not None and len(self._held[took]) > each:
                self._held[took].pop().close()
        pytest.fail(f"the kernel gave one process all: { {pid: len(held) for pid, held in self._held.items()} }")

    def close(self) -> None:
        for one in [one for held in self._held.values() for one in held]:
            one.close()


def test_two_processes(addresses: Addresses, tmp_path: Path):
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FG_", "FLUXBASE_"))}
    environment |= {
        "FLUXBASE_DATABASE_URL": addresses.owner_dsn,
        "FLUXBASE_REDIS_URL": addresses.redis_url,
        "FLUXBASE_AUTH_JWT_SECRET": addresses.secret,
        "FLUXBASE_REALTIME_MAX_CONNECTIONS_PER_IP": "4",
        "FLAKEGUARD_HOME": str(tmp_path),
    }
    command = [sys.executable, "-m", "fluxbase", "serve", "--port", str(port), "--processes", "2"]
    supervisor = subprocess.Popen(command, env=environment, cwd=tmp_path)
    url, itself, sockets = f"http://127.0.0.1:{port}", psutil.Process(supervisor.pid), Sockets(port)

    def listening() -> set[int]:
        """The processes that accept connections on the port."""
        return {child.pid for child in listening_children(supervisor.pid, port)}

    try:
        until("two processes listen", lambda: len(listening()) == 2)
        whole_metrics(url)
        first = listening()
        sockets.open_with(first, 2)
        assert [sockets.open() for _ in range(4)] == [None] * 4, "both count what the other has"
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        until("another takes its place", lambda: len(listening() - {victim}) == 2)
        assert listening() & first == first - {victim}, "the others were left alone"
        assert all(healthy(url) for _ in range(10))
        until("the sockets of the killed one do not count", sockets.open)
        assert sockets.open() is not None
        assert [sockets.open() for _ in range(4)] == [None] * 4, "no more than the two that it had"
    finally:
        sockets.close()
        children = itself.children()
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(45) == 0
    assert not any(child.is_running() for child in children)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health", trust_env=False)


def test_connections_of_several_processes_do_not_wait_for_acknowledgements():
    with shared_socket("127.0.0.1", 0) as listening, socket.socket() as client:
        listening.listen()
        client.connect(listening.getsockname())
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

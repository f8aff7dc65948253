"""What is done to the servers, one after the other, under load. Each ends when the cause is away again."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx

from ..fluxbase.realtime.serving import deaf
from .backend import BUCKET, CONNECTIONS, PROCESSES, Backend, full_disk
from .load import Account, Client
from .record import BROKEN

_AWAY_SECONDS = 2.0
_PATIENCE_SECONDS = 30

_TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid != pg_backend_pid()
"""


@dataclass(frozen=True)
class Scene:
    """What there is to hurt, and a client to do it with."""

    backend: Backend
    client: Client
    account: Account


async def _nothing(_scene: Scene) -> str:
    await asyncio.sleep(_AWAY_SECONDS)
    return ""


async def _stop_postgresql(scene: Scene) -> str:
    await _restart(scene.backend, "fast")
    return "pg_ctl -m fast"


async def _crash_postgresql(scene: Scene) -> str:
    for _ in range(2):
        await _restart(scene.backend, "immediate")
    return "pg_ctl -m immediate, twice"


async def _restart(backend: Backend, mode: str) -> None:
    await asyncio.to_thread(backend.postgres.stop, mode)
    await asyncio.sleep(_AWAY_SECONDS)
    await asyncio.to_thread(backend.postgres.start)


async def _terminate_backends(scene: Scene) -> str:
    owner = await asyncpg.connect(scene.backend.owner_dsn)
    terminated = 0
    for _ in range(15):
        terminated += await owner.fetchval(_TERMINATE)
        await asyncio.sleep(0.3)
    await owner.close()
    return f"{terminated} of them"


async def _stop_redis(scene: Scene) -> str:
    await asyncio.to_thread(scene.backend.valkey.stop)
    await asyncio.sleep(2 * _AWAY_SECONDS)
    await asyncio.to_thread(scene.backend.valkey.start)
    return ""


async def _freeze_redis(scene: Scene) -> str:
    process = scene.backend.valkey.process()
    process.suspend()
    await asyncio.sleep(2 * _AWAY_SECONDS)
    process.resume()
    return "SIGSTOP: it is there and does not answer"


async def _kill_each_process(scene: Scene) -> str:
    backend = scene.backend
    for victim in backend.listening():
        victim.send_signal(signal.SIGKILL)
        victim.wait(10)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(await asyncio.to_thread(backend.listening)) < PROCESSES:  # noqa: ASYNC110 -- /proc tells nobody
                await asyncio.sleep(0.05)
    return f"kill -9, {PROCESSES} one after the other"


async def _kill_worker(scene: Scene) -> str:
    worker = scene.backend.worker
    for _ in range(2):
        worker.process.kill()
        worker.process.wait(10)
        await asyncio.sleep(1)
        await asyncio.to_thread(scene.backend.start_worker)
        await asyncio.sleep(_AWAY_SECONDS)
    return "kill -9, twice"


async def _fill_disk(scene: Scene) -> str:
    with full_disk(scene.backend):
        await asyncio.sleep(2 * _AWAY_SECONDS)
    return "a file system" if scene.backend.storage.is_mount() else "a limit on files"


# ── clients that never read ──

_LARGE_BYTES = 12 * 1024 * 1024
_DEAF_DOWNLOADS = 3 * PROCESSES * CONNECTIONS


async def _never_read(scene: Scene) -> str:
    backend, client, account = scene.backend, scene.client, scene.account
    large = f"/api/v1/storage/{BUCKET}/large"
    await client.insist("large upload", "PUT", large, account.token, content=os.urandom(_LARGE_BYTES))
    dropped = await _slow_clients(backend)
    async with AsyncExitStack() as stack:
        for _ in range(_DEAF_DOWNLOADS):  # if each held a connection to PostgreSQL, there would be none left
            await stack.enter_async_context(_deaf_download(backend, large, account.token))
        write = await stack.enter_async_context(deaf(backend))
        await write('{"type": "subscribe", "channel": "loud"}')
        loud = {"channel": "loud", "event": "noise", "payload": "x" * 200_000}
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while (now := await _slow_clients(backend)) == dropped:
                for _ in range(10):
                    await client.ask("broadcast", "POST", "/api/v1/realtime/broadcast", account.token, json=loud)
    return f"{_DEAF_DOWNLOADS} downloads, {now - dropped:.0f} socket dropped"


async def _slow_clients(backend: Backend) -> float:
    async with httpx.AsyncClient(base_url=backend.url, timeout=_PATIENCE_SECONDS, trust_env=False) as client:
        text = (await client.get("/metrics")).text
    return sum(map(float, re.findall(r"^fluxbase_realtime_slow_clients_total(?:\{.*\})? (\S+)$", text, re.MULTILINE)))


@asynccontextmanager
async def _deaf_download(backend: Backend, path: str, token: str) -> AsyncIterator[None]:
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.to_thread(raw.connect, ("127.0.0.1", backend.port))
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        await asyncio.to_thread(raw.sendall, head.encode())
        yield


@dataclass(frozen=True)
class Fault:
    """`do` hurts, ends when the cause is away again, and says a word about it; `allowed` is what clients may see."""

    name: str
    do: Callable[[Scene], Awaitable[str]]
    allowed: tuple[int | str, ...] = ()


FAULTS = (
    Fault("nothing", _nothing),
    Fault("PostgreSQL restarted", _stop_postgresql, (503,)),
    Fault("PostgreSQL crashed", _crash_postgresql, (503,)),
    Fault("backends terminated", _terminate_backends, (503,)),
    Fault("Redis away", _stop_redis),
    Fault("Redis frozen", _freeze_redis),
    Fault("server processes killed", _kill_each_process, (BROKEN,)),
    Fault("worker killed", _kill_worker),
    Fault("disk full", _fill_disk, (507,)),
    Fault("clients that never read", _never_read),
)

"""A server that is killed in the middle of uploads: what it said it has is there, whole, and nothing else is seen."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from fluxbase.auth import access_tokens
from fluxbase.embedded.ports import free_port
from fluxbase.resources import Addresses
from fluxbase.storage import clean
from fluxbase.storage.blobs import BlobStore, LocalStore

from .conftest import STORAGE, blobs_in

PROGRAM = """
import json, sys, uvicorn
from fluxbase.app import create_app
from fluxbase.resources import Addresses
from fluxbase.settings import Settings

wanted = json.loads(sys.argv[1])
settings = Settings(_env_file=None, **wanted["settings"])
app = create_app(settings, Addresses(**wanted["addresses"]))
uvicorn.run(app, host="127.0.0.1", port=wanted["port"], log_config=None)
"""


@dataclass
class Servers:
    """Servers over one database and one folder, one after the other."""

    addresses: Addresses
    home: Path
    started: list[tuple[subprocess.Popen, str]] = field(default_factory=list)

    def start(self) -> tuple[subprocess.Popen, str]:
        """A new one: its process and address."""
        port = free_port()
        wanted = {
            "port": port,
            "addresses": {
                name: getattr(self.addresses, name) for name in ("owner_dsn", "runtime_dsn", "redis_url", "secret")
            },
            "settings": {
                "storage_local_path": str(self.home / "storage"),
                "storage_max_file_size": 2**30,
                "home": str(self.home),
                "requests_per_second": 10_000,
                "request_burst": 10_000,
            },
        }
        clean_environment = {k: v for k, v in os.environ.items() if not k.startswith(("FG_", "FLUXBASE_"))}
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(wanted)], env=clean_environment, stderr=subprocess.DEVNULL
        )
        self.started.append((process, f"http://127.0.0.1:{port}"))
        return self.started[-1]

    def running(self) -> tuple[subprocess.Popen, str]:
        """The last one, or a new one when that was killed."""
        alive = self.started and self.started[-1][0].poll() is None
        return self.started[-1] if alive else self.start()


@pytest.fixture(scope="module")
def servers_of_the_module(database_of_the_module, tmp_path_factory):
    servers = Servers(database_of_the_module, tmp_path_factory.mktemp("killed"))
    yield servers
    for process, _ in servers.started:
        process.kill()
        process.wait()


@pytest.fixture
def folder(servers_of_the_module) -> Path:
    return servers_of_the_module.home / "storage"


@asynccontextmanager
async def client_of(address: str, secret: str, now) -> AsyncIterator[httpx.AsyncClient]:
    token = access_tokens.issue_for_role(secret, "service_role", now=now, lifetime=timedelta(hours=1))
    async with (
        httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client,
        asyncio.timeout(60),
    ):
        while True:
            try:
                if (await client.get("/health")).status_code == 200:
                    break
            except httpx.TransportError:
                await asyncio.sleep(0.05)
        yield client


def content_of(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest() * 10_000


async def slowly(content: bytes, pace_seconds: float, until: asyncio.Event | None = None):
    """In pieces; the last waits for `until`."""
    for position in range(0, len(content), 32_000):
        if until and position + 32_000 >= len(content):
            await until.wait()
        yield content[position : position + 32_000]
        await asyncio.sleep(pace_seconds)


async def test_what_was_answered_is_there_after_kill_9(servers_of_the_module, addresses, resources, folder):
    process, address = servers_of_the_module.running()
    answered: set[int] = set()
    killed = asyncio.Event()
    async with client_of(address, addresses.secret, resources.now()) as client:
        await client.post(f"{STORAGE}/buckets", json={"id": "b"})
        before = await client.put(f"{STORAGE}/b/replaced", content=b"before")
        assert before.status_code == 201

        async def upload(number: int) -> None:
            name = "replaced" if number == 9 else str(number)
            body = slowly(content_of(number), 0.001 * number, killed if number > 13 else None)
            answer = await client.put(f"{STORAGE}/b/{name}", content=body)
            if answer.status_code in (200, 201):
                answered.add(number)

        uploads = [asyncio.create_task(upload(number)) for number in range(20)]
        while len(answered) < 6:  # noqa: ASYNC110 -- a plain number, on purpose
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        killed.set()
        await asyncio.gather(*uploads, return_exceptions=True)
    assert 6 <= len(answered) <= 14

    _, address = servers_of_the_module.start()
    async with client_of(address, addresses.secret, resources.now()) as client:
        listed = {one["key"]: one for one in (await client.get(f"{STORAGE}/b")).json()["objects"]}
        assert {str(number) for number in answered if number != 9} <= set(listed)
        for name, described in listed.items():
            read = await client.get(f"{STORAGE}/b/{name}")
            expected = {b"before", content_of(9)} if name == "replaced" else {content_of(int(name))}
            assert read.content in expected
            assert described["size"] == len(read.content)
    assert len(blobs_in(folder)) >= len(listed)
    await clean(resources.database, lambda: BlobStore(LocalStore(folder), folder), grace_seconds=0, pending_seconds=0)
    assert len(blobs_in(folder)) == len(listed), "halves are removed, and nothing else"


async def test_96_megabytes_go_through_without_being_held(servers_of_the_module, addresses, resources):
    size = 96 * 1024 * 1024
    process, address = servers_of_the_module.running()
    async with client_of(address, addresses.secret, resources.now()) as client:
        await client.post(f"{STORAGE}/buckets", json={"id": "b"})
        await client.put(f"{STORAGE}/b/small", content=b"x" * 1000)
        before = peak_bytes(process.pid)

        async def body():
            for _ in range(size // 262_144):
                yield b"x" * 262_144

        stored = await client.put(f"{STORAGE}/b/large", content=body(), headers={"content-length": str(size)})
        assert (stored.status_code, stored.json()["size"]) == (201, size)
        read = 0
        async with client.stream("GET", f"{STORAGE}/b/large") as answer:
            async for chunk in answer.aiter_raw():
                read += len(chunk)
        assert read == size
        grown = peak_bytes(process.pid) - before
    assert grown < 48 * 1024 * 1024, f"the server grew by {grown} bytes"


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

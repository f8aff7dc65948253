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
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from fluxbase.auth import access_tokens
from fluxbase.embedded.ports import free_port
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


@pytest.fixture
def start(addresses, folder, tmp_path):
    """Start a server; its process and address."""
    started: list[subprocess.Popen] = []

    def run() -> tuple[subprocess.Popen, str]:
        port = free_port()
        wanted = {
            "port": port,
            "addresses": {
                name: getattr(addresses, name) for name in ("owner_dsn", "runtime_dsn", "redis_url", "secret")
            },
            "settings": {
                "storage_local_path": str(folder),
                "storage_max_file_size": 2**30,
                "home": str(tmp_path),
                "requests_per_second": 10_000,
                "request_burst": 10_000,
            },
        }
        clean_environment = {k: v for k, v in os.environ.items() if not k.startswith(("FG_", "FLUXBASE_"))}
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(wanted)], env=clean_environment, stderr=subprocess.DEVNULL
        )
        started.append(process)
        return process, f"http://127.0.0.1:{port}"

    yield run
    for process in started:
        process.kill()
        process.wait()


@asynccontextmanager
async def client_of(address: str, secret: str, now) -> AsyncIterator[httpx.AsyncClient]:
    token = access_tokens.issue_for_role(secret, "service_role", now=now, lifetime=timedelta(hours=1))
    async with (
        httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client,
        asyncio.timeout(20),
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


async def slowly(content: bytes, pace_seconds: float):
    for position in range(0, len(content), 32_000):
        yield content[position : position + 32_000]
        await asyncio.sleep(pace_seconds)


async def test_what_was_answered_is_there_after_kill_9(start, addresses, resources, folder, owner):
    process, address = start()
    answered: set[int] = set()
    async with client_of(address, addresses.secret, resources.now()) as client:
        await client.post(f"{STORAGE}/buckets", json={"id": "b"})
        before = await client.put(f"{STORAGE}/b/replaced", content=b"before")
        assert before.status_code == 201

        async def upload(number: int) -> None:
            name = "replaced" if number == 19 else str(number)
            answer = await client.put(f"{STORAGE}/b/{name}", content=slowly(content_of(number), 0.001 * number))
            if answer.status_code in (200, 201):
                answered.add(number)

        uploads = [asyncio.create_task(upload(number)) for number in range(20)]
        while len(answered) < 6:  # noqa: ASYNC110 -- a plain number, on purpose
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        await asyncio.gather(*uploads, return_exceptions=True)
    assert 6 <= len(answered) < 20

    _, address = start()
    async with client_of(address, addresses.secret, resources.now()) as client:
        listed = {one["key"]: one for one in (await client.get(f"{STORAGE}/b")).json()["objects"]}
        assert {str(number) for number in answered if number != 19} <= set(listed)
        for name, described in listed.items():
            read = await client.get(f"{STORAGE}/b/{name}")
            expected = {b"before", content_of(19)} if name == "replaced" else {content_of(int(name))}
            assert read.content in expected
            assert described["size"] == len(read.content)
    assert len(blobs_in(folder)) >= len(listed)
    await clean(resources.database, lambda: BlobStore(LocalStore(folder), folder), grace_seconds=0, pending_seconds=0)
    assert len(blobs_in(folder)) == len(listed), "halves are removed, and nothing else"


async def test_96_megabytes_go_through_without_being_held(start, addresses, resources):
    size = 96 * 1024 * 1024
    process, address = start()
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

"""`flakeguard worker --processes 2`: both work, one that is killed is started again, and SIGTERM hands jobs back."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from flakeguard.worker.operating.inspecting import bull_queue
from fluxbase.db import Connection
from fluxbase.embedded.ports import free_port
from fluxbase.resources import Addresses, Resources

from ...chaos.installation import listening_children

PROJECT = 7
SHUTDOWN_SECONDS = 1


@dataclass(frozen=True)
class Supervised:
    """A worker of two processes, as an operator starts it."""

    process: "subprocess.Popen[bytes]"
    health_port: int
    metrics_port: int

    def listening(self) -> set[int]:
        return {child.pid for child in listening_children(self.process.pid, self.health_port)}

    async def metrics(self) -> str:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            return (await client.get(f"http://127.0.0.1:{self.metrics_port}/metrics")).text


@pytest.fixture
def supervised(addresses: Addresses, tmp_path: Path) -> Iterator[Supervised]:
    health_port = free_port()
    metrics_port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FG_", "FLUXBASE_"))}
    environment |= {
        "FG_DATABASE_DSN": addresses.runtime_dsn,
        "REDIS_URL": addresses.redis_url,
        "FG_JWT_SECRET": addresses.secret,
        "FLAKEGUARD_HOME": str(tmp_path),
        "WORKER_SHUTDOWN_SECONDS": str(SHUTDOWN_SECONDS),
        "HEALTH_CHECK_PORT": str(health_port),
        "METRICS_PORT": str(metrics_port),
    }
    command = [sys.executable, "-m", "flakeguard", "worker", "--processes", "2", "--concurrency", "2"]
    process = subprocess.Popen(command, env=environment, cwd=tmp_path)
    try:
        yield Supervised(process, health_port, metrics_port)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(SHUTDOWN_SECONDS + 15)


async def until(what: str, holds: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds} s")
        await asyncio.sleep(0.05)


async def test_two_processes(supervised: Supervised, resources: Resources, owner: Connection) -> None:
    queue = bull_queue(resources.redis, "runs:analyze")

    async def both_listen() -> bool:
        return len(supervised.listening()) == 2

    await until("two processes listen", both_listen)
    await both_work(supervised, queue)

    first = supervised.listening()
    os.kill(min(first), signal.SIGKILL)

    async def another_listens() -> bool:
        return len(supervised.listening() - {min(first)}) == 2

    await until("another takes its place", another_listens)
    assert supervised.listening() & first == {max(first)}, "the other one was left alone"
    await stopped_in_the_midst(supervised, queue, owner)


async def both_work(supervised: Supervised, queue: Any) -> None:
    """Until the metrics that either of them answers tell of jobs that both of them did."""
    counted = r'^flakeguard_worker_jobs_processed_total\{.*process="(\d)".*status="completed".*\} (\S+)$'

    async def seen() -> bool:
        await add(queue, range(100, 120))
        found = dict(re.findall(counted, await supervised.metrics(), re.MULTILINE))
        return set(found) == {"1", "2"}

    await until("both did jobs", seen)
    health = re.findall(r"^flakeguard_worker_health.*$", await supervised.metrics(), re.MULTILINE)
    assert health == ["flakeguard_worker_health 1.0"], "the one that was not asked has not looked, and is not ill"


async def stopped_in_the_midst(supervised: Supervised, queue: Any, owner: Connection) -> None:
    """What cannot be finished within the limit goes back to the queue, and costs no try."""
    await owner.execute("SELECT pg_advisory_lock(hashtextextended('flakeguard analysis', $1))", PROJECT)
    held = await add(queue, [PROJECT] * 3)

    async def all_begun() -> bool:
        return (await queue.getJobCounts("active", "waiting")) == {"active": 3, "waiting": 0}

    await until("they are begun", all_begun)
    children = psutil.Process(supervised.process.pid).children()
    told = time.monotonic()
    supervised.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(supervised.process.wait, 30) == 0
    assert SHUTDOWN_SECONDS - 0.5 < time.monotonic() - told < SHUTDOWN_SECONDS + 8
    assert not any(child.is_running() for child in children)
    assert {await queue.getJobState(job.id) for job in held} <= {"waiting", "delayed"}
    assert {(await queue.getJob(job.id)).attemptsMade for job in held} == {0}


async def add(queue: Any, projects: Iterable[int]) -> list[Any]:
    return [await queue.add("recompute-project", {"projectId": project}, {}) for project in projects]

"""Run a load and measure it."""

import asyncio
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from flakeguard.loadtest.feeding import SQL, feed, make_repositories
from flakeguard.loadtest.github import standing_in
from flakeguard.loadtest.model import Load, Measured
from flakeguard.loadtest.processes import cpu_of, memory_of, parent_of, worker
from fluxbase.db.migrate import migrate
from fluxbase.db.roles import ensure_runtime_role
from fluxbase.embedded import Home, join_servers
from fluxbase.embedded.ports import port_or_next
from fluxbase.resources import Addresses, Resources, open_resources

_SECRET = "a secret for the load test alone, of sufficient length"  # noqa: S105 -- its servers are deleted
_FIRST_PORT = 18_080
_LOOK_SECONDS = 0.2
_STUCK_SECONDS = 180

type Tell = Callable[[int], None]


class StuckError(Exception):
    """The worker did not start, or no job has ended for minutes; its log says why."""


@contextmanager
def own_servers() -> Generator[tuple[Addresses, Path]]:
    """Embedded servers with durable settings in a folder that is deleted afterwards; with the folder."""
    with _ending_in_order(), tempfile.TemporaryDirectory(prefix="flakeguard-loadtest-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # under root the servers run as somebody else
        home = Home(folder / "home")
        with join_servers(home, "flakeguard") as servers:
            migrate(servers.owner_dsn)
            runtime = asyncio.run(ensure_runtime_role(servers.owner_dsn, _SECRET))
            yield Addresses(servers.owner_dsn, runtime, servers.redis_url, _SECRET), folder
        home.remove_if_idle()


@contextmanager
def _ending_in_order() -> Generator[None]:
    """Let SIGTERM end the block as an exception does: else servers and worker would outlive it."""
    before = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


async def full_jobs(load: Load, addresses: Addresses, folder: Path, tell: Tell) -> Measured:
    """Runs fetched from the stand-in, accepted, parsed, stored, judged and told of; `tell` is given how many are done.

    Raises:
        StuckError: The worker did not start, or stopped working.
    """
    port, log = port_or_next("127.0.0.1", _FIRST_PORT), folder / "worker.log"
    async with (
        open_resources(addresses, application_name="flakeguard-loadtest") as resources,
        standing_in(load.cases, load.repositories) as github,
    ):
        repositories = await make_repositories(resources, load.repositories, github.address)
        with worker(load, addresses, github, port, log) as pid:
            await _started(port, log)
            before, owed = await _cpu(resources, pid), dict[int, float]()
            feeding = asyncio.create_task(
                feed(resources, repositories, load, lambda run: owed.__setitem__(run, time.time()))
            )
            peak, failed = await _watch(resources, load, pid, tell, log)
            await feeding
            after = await _cpu(resources, pid)
        return await _measured(
            resources, load, owed, peak, failed, {part: after[part] - before[part] for part in after}
        )


async def _cpu(resources: Resources, worker_pid: int) -> Mapping[str, float]:
    """Processor time so far: of the worker, of both servers, and of this process, which feeds and plays GitHub."""
    async with resources.database.transaction() as connection:
        backend = await connection.fetchval("SELECT pg_backend_pid()")
    redis: Mapping[str, Any] = await resources.redis.info("cpu")  # pyright: ignore[reportUnknownMemberType]
    own = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "worker": cpu_of(worker_pid),
        "postgresql": cpu_of(parent_of(backend)),
        "redis": float(redis["used_cpu_user"]) + float(redis["used_cpu_sys"]),
        "loadtest": own.ru_utime + own.ru_stime,
    }


async def _measured(
    resources: Resources, load: Load, owed: Mapping[int, float], peak: int, failed: int, cpu: Mapping[str, float]
) -> Measured:
    async with resources.database.transaction() as connection:
        ends = await connection.fetch(SQL["ends"])
        stored = await connection.fetchval(SQL["stored"])
        verdicts = {row["verdict"]: row["tests"] for row in await connection.fetch(SQL["verdicts"])}
    began = min(owed.values())
    return Measured(
        load.jobs, len(ends), failed, max((row["published"] for row in ends), default=began) - began,
        [row["published"] - owed[row["run"]] for row in ends], peak,
        max((row["analyzed"] for row in ends), default=began) - began, cpu, stored, verdicts,
    )  # fmt: skip


def tail(log: Path) -> str:
    """The last words of a log."""
    return log.read_text(errors="replace")[-2000:]


async def _started(port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < deadline:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/health/ready")).is_success:
                    return
            except httpx.HTTPError:
                pass  # not yet
            await asyncio.sleep(_LOOK_SECONDS)
    raise StuckError(f"the worker did not start: {tail(log)}")


async def _watch(resources: Resources, load: Load, pid: int, tell: Tell, log: Path) -> tuple[int, int]:
    """Until every job has ended: (the most memory the worker had, how many failed)."""
    peak, before, since = 0, -1, time.monotonic()
    while True:
        async with resources.database.transaction() as connection:
            row = (await connection.fetch(SQL["count_ended"]))[0]
        ended, peak = row["done"] + row["failed"], max(peak, memory_of(pid))
        tell(ended)
        if ended >= load.jobs:
            return peak, row["failed"]
        if ended != before:
            before, since = ended, time.monotonic()
        elif time.monotonic() - since > _STUCK_SECONDS:
            raise StuckError(f"no job ended for {_STUCK_SECONDS} s: {tail(log)}")
        await asyncio.sleep(_LOOK_SECONDS)

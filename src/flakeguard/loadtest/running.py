"""Run a load and measure it."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx

from flakeguard.loadtest.artifacts import serving
from flakeguard.loadtest.feeding import SQL, feed, make_project
from flakeguard.loadtest.model import Load, Measured
from flakeguard.loadtest.processes import memory_of, worker
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
    with tempfile.TemporaryDirectory(prefix="flakeguard-loadtest-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # under root the servers run as somebody else
        home = Home(folder / "home")
        with join_servers(home, "flakeguard") as servers:
            migrate(servers.owner_dsn)
            runtime = asyncio.run(ensure_runtime_role(servers.owner_dsn, _SECRET))
            yield Addresses(servers.owner_dsn, runtime, servers.redis_url, _SECRET), folder
        home.remove_if_idle()


async def full_jobs(load: Load, addresses: Addresses, folder: Path, tell: Tell) -> Measured:
    """Artifacts downloaded, accepted, parsed, stored, judged; `tell` is given how many have ended.

    Raises:
        StuckError: The worker did not start, or stopped working.
    """
    port = port_or_next("127.0.0.1", _FIRST_PORT)
    log = folder / "worker.log"
    async with open_resources(addresses, application_name="flakeguard-loadtest") as resources:
        with worker(load, addresses, port, log) as pid:
            await _started(port, log)
            key = await make_project(resources)
            started = time.perf_counter()
            async with serving(load.cases) as address:
                feeding = asyncio.create_task(feed(resources, key, address, load, lambda: None))
                peak, failed = await _watch(resources, load, pid, tell, log)
                await feeding
            seconds = time.perf_counter() - started
        async with resources.database.transaction() as connection:
            latencies = [row["seconds"] for row in await connection.fetch(SQL["latencies"])]
    return Measured(load.jobs, len(latencies), failed, seconds, latencies, peak)


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

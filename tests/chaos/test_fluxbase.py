"""Fluxbase under load while its servers, its processes and its disk are taken away: nothing that it said is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import asyncpg

from .backend import Backend, running_backend
from .faults import FAULTS, Fault, Scene
from .load import Client, Load, sign_up
from .record import Record
from .socket_listener import SocketListener

_ACCOUNTS = 4
_SETTLE_SECONDS = 45
_LINES = 60


def test_nothing_is_lost_and_everything_heals(capsys) -> None:
    record = Record()
    with running_backend() as backend:
        try:
            faults = asyncio.run(run(backend, record, FAULTS))
        finally:
            with capsys.disabled():
                print(f"\n\n{record.table()}\n")
        assert not faults, "\n".join([*faults, _complaints(backend)])


async def run(backend: Backend, record: Record, faults: Sequence[Fault]) -> list[str]:
    """Do `faults` to `backend` under load; everything that was not as it should be."""
    client = Client(record, backend.url)
    loads = [Load(await sign_up(client, number), client, record) for number in range(_ACCOUNTS)]
    listeners = [SocketListener(load, record, backend.port) for load in loads]
    async with _running(listeners):
        async with asyncio.TaskGroup() as group:
            for load in loads:
                group.create_task(load.run())
            for fault in faults:
                async with record.phase(fault.name, *fault.allowed) as phase:
                    phase.note = await fault.do(Scene(backend, client, loads[0].account))
            for load in loads:
                load.stopped = True
        found = record.faults() + await _settled(backend, loads, listeners)
    found += await _downloads(loads) + await _stored_once(backend, loads)
    await client.close()
    return found


@asynccontextmanager
async def _running(listeners: Sequence[SocketListener]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(listener.run()) for listener in listeners]
    while not all(listener.opened for listener in listeners):  # noqa: ASYNC110 -- plain numbers
        await asyncio.sleep(0.05)
    yield
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(outcome, asyncio.CancelledError):
            raise outcome


async def _settled(backend: Backend, loads: Sequence[Load], listeners: Sequence[SocketListener]) -> list[str]:
    """Wait until all jobs are done and all changes told; what is still lacking after a while."""
    owner = await asyncpg.connect(backend.owner_dsn)
    accepted = {job for load in loads for job in load.account.jobs}
    with suppress(TimeoutError):
        async with asyncio.timeout(_SETTLE_SECONDS):
            while await _jobs_not_done(owner, accepted) or any(listener.lacks() for listener in listeners):  # noqa: ASYNC110 -- clients find out so
                await asyncio.sleep(0.2)
    jobs, lacking = await _jobs_not_done(owner, accepted), [len(listener.lacks()) for listener in listeners]
    await owner.close()
    return ([f"jobs not done: {jobs}"] if jobs else []) + ([f"changes never told: {lacking}"] if any(lacking) else [])


async def _jobs_not_done(owner: asyncpg.Connection, accepted: set[str]) -> dict[str, int]:
    rows = await owner.fetch(
        "SELECT wanted.id, coalesce(j.status::text, 'lost') AS status, "
        "EXISTS (SELECT FROM effects e WHERE e.job_id = wanted.id) AS done "
        "FROM unnest($1::uuid[]) AS wanted (id) LEFT JOIN jobs.jobs j USING (id)",
        list(accepted),
    )
    return Counter(row["status"] for row in rows if row["status"] != "completed" or not row["done"])


async def _downloads(loads: Sequence[Load]) -> list[str]:
    """Read every object that was acknowledged."""
    return [
        f"{name} cannot be read" for load in loads for name in load.account.objects if not await load.download(name)
    ]


async def _stored_once(backend: Backend, loads: Sequence[Load]) -> list[str]:
    owner = await asyncpg.connect(backend.owner_dsn)
    stored = Counter(row["tag"] for row in await owner.fetch("SELECT tag FROM notes"))
    await owner.close()
    lost = [tag for load in loads for tag in load.account.notes if tag not in stored]
    doubled = [tag for tag, number in stored.items() if number > 1]
    return ([f"notes lost: {lost}"] if lost else []) + ([f"notes doubled: {doubled}"] if doubled else [])


def _complaints(backend: Backend) -> str:
    """What the logs have beside the everyday."""
    lines = [line for log in (backend.server.log, backend.worker.log) for line in log.read_text().splitlines()]
    return "\n".join([line for line in lines if '"level": "info"' not in line][-_LINES:])

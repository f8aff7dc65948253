"""BullMQ's worker, given its next job by the answer to the end of the one before."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from flakeguard.worker.bull import BareWorker, Queue, Worker
from flakeguard.worker.queues import PREFIX
from fluxbase.resources import Resources

_QUEUE = "taken"


class Jobs:
    """Does nothing, and remembers in which order it was to."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def __call__(self, job: Any, _token: str) -> dict[str, Any]:
        self.done.append(job.id)
        return {"n": len(self.done)}


@asynccontextmanager
async def _running(worker: Any, jobs: int) -> AsyncGenerator[Any]:
    """The worker, once it has completed so many jobs; it is closed afterwards."""
    completed, enough = list[str](), asyncio.Event()

    def count(job: Any, _result: object) -> None:
        completed.append(job.id)
        if len(completed) == jobs:
            enough.set()

    worker.on("completed", count)
    await worker.backend.blocking_connection.getRedisVersion()
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(20):
            await enough.wait()
        yield worker
    finally:
        await worker.close()
        await running


def _queue(resources: Resources) -> Any:
    return Queue(_QUEUE, {"connection": resources.redis, "prefix": PREFIX})


async def _filled(resources: Resources, jobs: int) -> Any:
    queue = _queue(resources)
    await queue.addBulk([{"name": "n", "data": {}, "opts": {"jobId": f"job-{n}"}} for n in range(jobs)])
    return queue


async def _calls(kind: Any, resources: Resources, jobs: int) -> tuple[list[str], int]:
    """The jobs done, one at a time, and how many scripts Redis ran for it."""
    await _filled(resources, jobs)
    work = Jobs()
    await resources.redis.config_resetstat()
    options = {"connection": resources.redis, "prefix": PREFIX, "autorun": False, "removeOnComplete": {"count": jobs}}
    async with _running(kind(_QUEUE, work, options), jobs):
        scripts = (await resources.redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    await resources.redis.flushdb()
    return work.done, scripts


async def test_a_job_costs_one_round_trip(resources: Resources) -> None:
    done, scripts = await _calls(Worker, resources, 50)
    bare_done, bare_scripts = await _calls(BareWorker, resources, 50)
    assert done == bare_done == [f"job-{n}" for n in range(50)]
    assert scripts < 0.75 * bare_scripts, "ending a job and taking the next are one, but for the first and the last"


async def test_what_comes_while_it_closes_goes_back(resources: Resources) -> None:
    """As when it is told to stop between its question and Redis' answer."""
    queue, work = await _filled(resources, 2), Jobs()
    worker = Worker(_QUEUE, work, {"connection": resources.redis, "prefix": PREFIX, "autorun": False})
    complete, closing = worker._complete, list[asyncio.Task[None]]()

    async def told_meanwhile(*args: Any, **named: Any) -> Any:
        answer = await complete(*args, **named)
        closing.append(asyncio.create_task(worker.close()))
        await asyncio.sleep(0)
        return answer

    worker._complete = told_meanwhile
    async with _running(worker, 1):
        await asyncio.gather(*closing)
    assert work.done == ["job-0"]
    assert await queue.getJobState("job-1") in {"waiting", "delayed"}, "not active, to be found as stalled"
    assert (await queue.getJob("job-1")).attemptsMade == 0, "at no cost of a try"


async def test_who_comes_after_does_it(resources: Resources) -> None:
    queue = await _filled(resources, 1)
    first = Worker(_QUEUE, Jobs(), {"connection": resources.redis, "prefix": PREFIX, "autorun": False})
    first.closing = True
    assert await first.getNextJob("a-token") is None
    work = Jobs()
    second = Worker(_QUEUE, work, {"connection": resources.redis, "prefix": PREFIX, "autorun": False})
    async with _running(second, 1):
        assert await queue.getJobState("job-0") == "completed"
    assert work.done == ["job-0"]
    first.closing = False
    await first.close()

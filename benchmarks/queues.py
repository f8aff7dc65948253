"""No-op jobs through our worker against bare BullMQ of Python in the same run, and two processes against one.

Everything on this machine: Valkey, PostgreSQL, and the workers. Jobs are put there before the clock starts, by the same
publisher with the same options, so what is measured is taking, doing and finishing them.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.bull import BareWorker, Queue
from flakeguard.worker.jobs import PROCESS_RUN
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.processors import Job
from flakeguard.worker.queues import INGEST, PREFIX, bullmq_name
from flakeguard.worker.retry_policy import MAX_RETRY_ATTEMPTS
from flakeguard.worker.runner import running_worker
from fluxbase.db.migrate import migrate
from fluxbase.db.roles import ensure_runtime_role
from fluxbase.embedded import Home, join_servers
from fluxbase.resources import Addresses, Resources, connect_redis, open_resources
from fluxbase.serving import run

JOBS, BUSY_JOBS = 10_000, 2_000
"""So many that what a worker does once, at its start, is lost among them."""
ROUNDS = 3
CONCURRENCY = 10
BUSY_SECONDS = 0.005
"""Of processor time, as a small upload takes: a job that does nothing keeps Redis busy, and not its worker."""
_SECRET = "a secret for benchmarks only, long enough"
_OPTIONS = {"attempts": 1 + MAX_RETRY_ATTEMPTS, "removeOnComplete": {"count": 100}, "removeOnFail": {"count": 50}}


async def _fill(redis_url: str, jobs: int) -> None:
    redis: Any = connect_redis(redis_url)
    await redis.flushdb()
    queue = Queue(bullmq_name(INGEST), {"connection": redis, "prefix": PREFIX})
    for start in range(0, jobs, 500):
        await queue.addBulk(
            [
                {"name": PROCESS_RUN, "data": {"n": n}, "opts": {"jobId": f"run-{n}", **_OPTIONS}}
                for n in range(start, start + 500)
            ]
        )
    await redis.aclose()


async def _until_empty(redis: Any) -> None:
    key = f"{PREFIX}:{bullmq_name(INGEST)}"
    while True:
        pipe = redis.pipeline(transaction=False)
        if not any(await pipe.llen(f"{key}:wait").llen(f"{key}:active").execute()):
            return
        await asyncio.sleep(0.02)


async def _bare(addresses: Addresses) -> None:
    redis: Any = connect_redis(addresses.redis_url)

    async def nothing(_job: Any, _token: str) -> dict[str, Any]:
        return {}

    worker = BareWorker(
        bullmq_name(INGEST), nothing,
        {"connection": redis, "prefix": PREFIX, "concurrency": CONCURRENCY, "autorun": False},
    )  # fmt: skip
    running = asyncio.create_task(worker.run())
    await _until_empty(redis)
    await worker.close()
    await running


async def _ours(resources: Resources, busy_seconds: float) -> None:
    async def work(_job: Job) -> Mapping[str, Any]:
        end = time.process_time() + busy_seconds
        while time.process_time() < end:
            pass
        return {}

    runner.processors = lambda *_, **_named: {(INGEST, PROCESS_RUN): work}
    settings = FlakeGuardSettings(_env_file=None, jwt_secret=_SECRET, worker_concurrency=CONCURRENCY)
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        await _until_empty(resources.redis)


async def _work(kind: str, addresses: Addresses) -> None:
    """One worker process: says that it is ready, begins when told, and says what processor time it took."""
    structlog.configure(processors=[structlog.processors.JSONRenderer()], logger_factory=_to_nowhere())
    async with open_resources(addresses, application_name="bench", max_connections=20) as resources:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        started = time.process_time()
        await (_bare(addresses) if kind == "bare" else _ours(resources, BUSY_SECONDS if kind == "busy" else 0))
        print(time.process_time() - started, flush=True)


def _to_nowhere() -> Any:
    return structlog.PrintLoggerFactory(Path("/dev/null").open("w"))


async def _measure(kind: str, processes: int, addresses: Addresses) -> tuple[float, float]:
    """Jobs a second, from the word to begin until the queue is empty; and the processes' milliseconds of CPU a job."""
    jobs = BUSY_JOBS if kind == "busy" else JOBS
    await _fill(addresses.redis_url, jobs)
    arguments = [addresses.owner_dsn or "", addresses.runtime_dsn, addresses.redis_url]
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.queues", kind, *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(processes)
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        await process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"begin\n")
    redis = connect_redis(addresses.redis_url)
    begun = time.perf_counter()
    await _until_empty(redis)
    seconds = time.perf_counter() - begun
    await redis.aclose()
    spent = [float((await process.communicate())[0]) for process in started]
    return jobs / seconds, 1000 * sum(spent) / jobs


async def _compare(addresses: Addresses) -> None:
    found: dict[tuple[str, int], list[tuple[float, float]]] = {("bare", 1): [], ("ours", 1): [], ("ours", 2): []}
    found |= {("busy", 1): [], ("busy", 2): []}
    for _ in range(ROUNDS):
        for (kind, processes), measured in found.items():
            measured.append(await _measure(kind, processes, addresses))
    (bare, cpu_bare), (one, cpu_one), (two, cpu_two), (busy_one, _), (busy_two, _) = (
        [statistics.median(of) for of in zip(*measured, strict=True)] for measured in found.values()
    )
    print(f"bare bullmq, one process   {bare:8,.0f} jobs/s   {cpu_bare:.2f} ms of CPU a job")
    print(f"ours, one process          {one:8,.0f} jobs/s   {cpu_one:.2f} ms   {one / bare:.2f} x bare (asked: 0.8)")
    print(f"ours, two processes        {two:8,.0f} jobs/s   {cpu_two:.2f} ms   {two / one:.2f} x one (asked: 1.6)")
    print(f"jobs of 5 ms, one process  {busy_one:8,.0f} jobs/s")
    print(f"jobs of 5 ms, two          {busy_two:8,.0f} jobs/s   {busy_two / busy_one:.2f} x one (asked: 1.6)")
    print(f"{JOBS:,} no-op jobs, {CONCURRENCY} at once in each process, the median of {ROUNDS} rounds in turn")


def main() -> None:
    """Start servers, and compare."""
    if len(sys.argv) > 1:
        kind, owner, runtime, redis_url = sys.argv[1:]
        run(_work(kind, Addresses(owner, runtime, redis_url, _SECRET)))
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with join_servers(Home(Path(folder) / "home"), "flakeguard") as servers:
            migrate(servers.owner_dsn)
            runtime = asyncio.run(ensure_runtime_role(servers.owner_dsn, _SECRET))
            asyncio.run(_compare(Addresses(servers.owner_dsn, runtime, servers.redis_url, _SECRET)))


if __name__ == "__main__":
    main()

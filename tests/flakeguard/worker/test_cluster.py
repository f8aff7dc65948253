"""Three Valkey masters: the queues, the relay and the worker, and every other use of Redis, run on a cluster."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from redis import Redis
from redis.exceptions import RedisError

from flakeguard.github.api.allowance import Told
from flakeguard.github.api.budgets import Budgets
from flakeguard.github.errors import RateLimitedError
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.jobs import PROCESS_RUN
from flakeguard.worker.metrics import GitHubMetrics, WorkerMetrics
from flakeguard.worker.outbox import owe, settle
from flakeguard.worker.processors import Job
from flakeguard.worker.queues import INGEST
from flakeguard.worker.runner import running_worker
from fluxbase.embedded.ports import free_port
from fluxbase.embedded.valkey import wheel_program
from fluxbase.errors import RateLimitError
from fluxbase.monitoring.metrics import Metrics
from fluxbase.ratelimit import limiter as limiting
from fluxbase.ratelimit.bucket import TokenBucket
from fluxbase.ratelimit.limiter import RateLimiter
from fluxbase.realtime import tally
from fluxbase.realtime.bus import Bus
from fluxbase.realtime.tally import Subject, Tally
from fluxbase.repeating import beside
from fluxbase.resources import Addresses, Resources, connect_redis, open_resources

_SLOTS = 16_384
_MASTERS = 3
_PASSWORD = "of the cluster"


def free_ports() -> list[int]:
    """Below 55536: a node talks to the others 10,000 ports higher."""
    found: list[int] = []
    while len(found) < _MASTERS:
        if (port := free_port()) < 55_000:
            found.append(port)
    return found


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port,…` of three masters that share the slots."""
    folder = tmp_path_factory.mktemp("cluster")
    ports = free_ports()
    processes = [_start(folder / str(port), port) for port in ports]
    clients = [Redis(port=port, password=_PASSWORD, decode_responses=True) for port in ports]
    try:
        for number, client in enumerate(clients):
            _wait(client.ping)
            last = _SLOTS if number == _MASTERS - 1 else (number + 1) * (_SLOTS // _MASTERS)
            slots = range(number * (_SLOTS // _MASTERS), last)
            client.execute_command("CLUSTER", "ADDSLOTS", *slots)
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0])
        for client in clients:
            _wait(lambda client=client: "cluster_state:ok" in str(client.execute_command("CLUSTER", "INFO")))
        yield ",".join(f"127.0.0.1:{port}" for port in ports)
    finally:
        for client in clients:
            client.close()
        for process in processes:
            process.kill()
            process.wait()


def _start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    folder.mkdir()
    options = [
        "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", _PASSWORD, "--dir", str(folder),
        "--cluster-enabled", "yes", "--cluster-node-timeout", "5000",
    ]  # fmt: skip
    return subprocess.Popen([str(wheel_program()), *options], stdout=subprocess.DEVNULL)


def _wait(ready) -> None:

    for _ in range(400):
        try:
            if ready():
                return
        except (RedisError, OSError):
            pass
        time.sleep(0.05)
    raise AssertionError("the cluster does not start")


@pytest.fixture
def cluster_settings(nodes: str, settings: FlakeGuardSettings) -> FlakeGuardSettings:
    return FlakeGuardSettings(
        _env_file=None, public_url=settings.public_url, jwt_secret=settings.jwt_secret, redis_cluster_enabled=True,
        redis_cluster_nodes=nodes, redis_url=f"redis://:{_PASSWORD.replace(' ', '%20')}@elsewhere:1/0",
    )  # fmt: skip


@pytest.fixture
async def on_cluster(addresses: Addresses, cluster_settings: FlakeGuardSettings) -> AsyncIterator[Resources]:
    assert cluster_settings.redis_url is not None
    url = cluster_settings.redis_url.get_secret_value()
    there = replace(addresses, redis_url=url)
    async with open_resources(there, application_name="tests", max_connections=8) as opened:
        yield opened


async def test_what_is_owed_gets_onto_a_cluster_and_is_done(
    on_cluster: Resources, cluster_settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: set[str] = set()
    all_done = asyncio.Event()

    async def process(job: Job) -> Mapping[str, Any]:
        async with on_cluster.database.transaction() as connection:
            await settle(connection, job.id)
        done.add(job.id)
        if len(done) == 20:
            all_done.set()
        return {}

    monkeypatch.setattr(runner, "processors", lambda *_, **_named: {(INGEST, PROCESS_RUN): process})
    async with on_cluster.database.transaction() as connection:
        for number in range(20):
            await owe(
                connection, queue=INGEST, name=PROCESS_RUN, job_id=f"run-{number}", data={}, correlation_id=None,
                priority="high" if number % 2 else "low",
            )  # fmt: skip
    async with running_worker(on_cluster, cluster_settings, WorkerMetrics(CollectorRegistry())):
        async with asyncio.timeout(30):
            await all_done.wait()
        async with asyncio.timeout(10):
            while await on_cluster.redis.zcard("{bull}:runs-ingest:completed") < 20:  # noqa: ASYNC110 -- the state is in Redis
                await asyncio.sleep(0.05)


async def test_limits_and_buckets_count_on_a_cluster(on_cluster: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiting, "_PATIENCE_SECONDS", 20)  # a busy machine is no Redis that is away, which lets all in
    limiter = RateLimiter(on_cluster.redis, "here", Metrics())
    for subject in ("ada", "bob", "eve"):
        await limiter.check("signin", subject, per_minute=1)
        await limiter.check_hourly("mail", subject, per_hour=1)
        with pytest.raises(RateLimitError):
            await limiter.check("signin", subject, per_minute=1)
        with pytest.raises(RateLimitError):
            await limiter.check_hourly("mail", subject, per_hour=1)
        bucket = TokenBucket(on_cluster.redis, "here", requests_per_second=0.01, burst=1)
        assert (await bucket.take(subject)).allowed
        assert not (await bucket.take(subject)).allowed


async def test_connections_count_on_a_cluster(on_cluster: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "_PATIENCE_SECONDS", 20)
    monkeypatch.setattr(tally, "_OUTAGES", ())  # an error of the cluster's is no Redis that is away
    subjects = [Subject("user:ada", "per user", 2), Subject("address:::1", "per address", 2)]
    counts = [dict.fromkeys((subject.name for subject in subjects), 1) for _ in range(3)]
    one, two, three = (Tally(on_cluster.redis, "here", count) for count in counts)
    assert [await one.claim(subjects), await two.claim(subjects)] == [None, None]
    assert await three.claim(subjects) == subjects[0]
    async with beside(one.run(), name="tally"), asyncio.timeout(30):
        while not one.shared:  # noqa: ASYNC110 -- as operators find out
            await asyncio.sleep(0.01)
        assert await three.claim(subjects) == subjects[0], "written down anew, all of it"
        counts[0].clear()
        one.release(subjects)
        while await three.claim(subjects) is not None:  # noqa: ASYNC110 -- as clients find out
            await asyncio.sleep(0.01)


async def test_githubs_budgets_are_shared_on_a_cluster(on_cluster: Resources) -> None:
    def budgets() -> Budgets:
        return Budgets(on_cluster.redis, "here", on_cluster.now, GitHubMetrics(CollectorRegistry()))

    for installation in (1, 2, 3):
        await budgets().hear(installation, Told(wait_seconds=30))
        with pytest.raises(RateLimitedError):
            await budgets().take(installation)


async def test_server_processes_hear_each_other_over_a_cluster(on_cluster: Resources) -> None:
    heard: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    other = connect_redis(on_cluster.addresses.redis_url)
    listening = Bus(on_cluster.redis, "here", lambda _process, message: heard.put_nowait(message))
    task = asyncio.create_task(listening.run())
    try:
        async with asyncio.timeout(10):
            await listening.connected.wait()
            await Bus(other, "here", lambda *_: None).publish({"kind": "hello"})
            assert (await heard.get())["kind"] == "hello"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await other.aclose()

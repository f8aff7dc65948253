"""What was accepted is finished, whatever happens to Redis or to a job in between."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from prometheus_client import CollectorRegistry
from redis.exceptions import ConnectionError as RedisConnectionError

from flakeguard.ingestion import processing
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import outbox, retry_policy
from flakeguard.worker.errors import PoisonousJobError
from flakeguard.worker.failing import backoff_ms
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.outbox import dead_jobs, revive
from flakeguard.worker.processors import Job, begin
from flakeguard.worker.publishing import Publisher
from flakeguard.worker.queues import MAX_DELIVERIES, PREFIX
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Resources

from ..conftest import Tenant
from ..uploads import PASS, data, report, upload


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "ENQUEUE_AGAIN_AFTER", timedelta(seconds=0.5))
    monkeypatch.setattr(outbox, "_LOOK_EVERY_SECONDS", 0.3)
    monkeypatch.setattr(retry_policy, "RETRY_DELAY_MS", 20)


async def states(resources: Resources) -> list[str]:
    async with resources.database.transaction() as connection:
        return [row["state"] for row in await connection.fetch("SELECT state FROM ingestions")]


async def until(resources: Resources, wanted: list[str]) -> None:
    async with asyncio.timeout(30):
        while sorted(await states(resources)) != sorted(wanted):  # noqa: ASYNC110 -- the state is in the database
            await asyncio.sleep(0.05)


async def test_flushing_redis_loses_nothing(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings
) -> None:
    for number in range(3):
        data(await upload(client, tenant.as_key, report({f"t{number}": PASS}), wait=0))
    relay = outbox.Relay(resources, Publisher(resources.redis))
    assert await relay.relay_once() == 3
    await resources.redis.flushdb()
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        await until(resources, ["analyzed"] * 3)
    async with resources.database.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0
        assert await connection.fetchval("SELECT count(*) FROM flake_events") == 3


async def test_work_for_an_unknown_queue_does_not_hold_up_the_rest(resources: Resources) -> None:
    """A newer version owes it, which shares the database while versions change."""
    async with resources.database.transaction() as connection:
        for queue in ("runs:from-the-future", "runs:ingest"):
            await outbox.owe(connection, queue=queue, name="x", job_id=f"{queue}-1", data={}, correlation_id=None)
    assert await outbox.Relay(resources, Publisher(resources.redis)).relay_once() == 1


async def test_what_redis_does_not_take_is_due_again(resources: Resources) -> None:
    """It goes away after the first of three; meanwhile nothing is locked."""
    async with resources.database.transaction() as connection:
        for number in range(3):
            await outbox.owe(
                connection, queue="runs:ingest", name="x", job_id=f"job-{number}", data={}, correlation_id=None
            )

    class Goes(Publisher):
        async def publish(self, *arguments, job_id: str, **named) -> None:
            async with resources.database.transaction() as connection:
                assert len(await connection.fetch("SELECT 1 FROM outbox FOR UPDATE SKIP LOCKED")) == 3
            if job_id == "job-1":
                raise RedisConnectionError("gone")
            await super().publish(*arguments, job_id=job_id, **named)

    with pytest.raises(RedisConnectionError):
        await outbox.Relay(resources, Goes(resources.redis)).relay_once()
    assert await outbox.Relay(resources, Publisher(resources.redis)).relay_once() == 2


async def test_a_job_that_ends_its_worker_each_time_is_given_up(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings
) -> None:
    receipt = data(await upload(client, tenant.as_key, report({"a": PASS}), wait=0))
    job_id = f"upload-{receipt['ingestion_id']}"
    payload = {"ingestionId": receipt["ingestion_id"]}
    await outbox.Relay(resources, Publisher(resources.redis)).relay_once()
    # As many workers died with it as BullMQ's check of stalled jobs has counted.
    await resources.redis.hset(f"{PREFIX}:runs-ingest:{job_id}", "stc", MAX_DELIVERIES + 1)
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        await until(resources, ["failed"])
    async with resources.database.transaction() as connection:
        (dead,) = await dead_jobs(connection)
        assert "did not finish" in dead["error"]
        assert await revive(connection, job_id)
    job = Job(job_id, "runs:ingest", "process-upload", payload, last_try=False, stalled=1)
    for _ in range(MAX_DELIVERIES):
        await begin(resources, job)  # whoever tries it again means it
    with pytest.raises(PoisonousJobError):  # a Redis that forgets its count is no way out
        await begin(resources, job)


async def test_a_job_that_fails_is_tried_again_and_stores_once(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings, monkeypatch
) -> None:
    """It breaks after the attempts are stored, before the transaction ends: nothing of the first try may stay."""
    tries = 0
    real = processing.owe

    async def breaks_once(*arguments, **named):
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("the network went away")
        await real(*arguments, **named)

    monkeypatch.setattr(processing, "owe", breaks_once)
    registry = CollectorRegistry()
    async with running_worker(resources, settings, WorkerMetrics(registry)):
        receipt = data(await upload(client, tenant.as_key, report({"a": PASS, "b": PASS})))
    assert receipt["state"] == "analyzed"
    assert tries == 2
    assert (
        registry.get_sample_value("flakeguard_worker_job_retries_total", {"queue": "runs:ingest", "error": "OSError"})
        == 1
    )
    assert (
        registry.get_sample_value(
            "flakeguard_worker_jobs_processed_total", {"queue": "runs:analyze", "status": "completed"}
        )
        == 1
    )
    async with resources.database.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM flake_events") == 2


async def test_a_database_that_is_slow_is_not_the_reports_fault(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings, monkeypatch
) -> None:
    """A statement that times out (another upload holds what it waits for) must not cost the upload its report."""
    tries = 0
    real = processing.store_batch

    async def slow_once(*arguments):
        nonlocal tries
        tries += 1
        if tries == 1:
            raise TimeoutError  # what asyncpg raises when command_timeout is over; an OSError to Python
        await real(*arguments)

    monkeypatch.setattr(processing, "store_batch", slow_once)
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        receipt = data(await upload(client, tenant.as_key, report({"a": PASS, "b": PASS})))
    assert receipt["state"] == "analyzed"
    assert receipt["warnings"] == []
    assert receipt["stored"]["test_results"] == 2


async def test_a_job_that_keeps_failing_is_given_up_with_its_cause_and_can_be_revived(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings, monkeypatch
) -> None:
    real = processing.owe

    async def breaks(*_arguments, **_named):
        raise OSError("disk on fire")

    monkeypatch.setattr(processing, "owe", breaks)
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        receipt = data(await upload(client, tenant.as_key, report({"a": PASS})))
        assert receipt["state"] == "failed"
        async with resources.database.transaction() as connection:
            (dead,) = await dead_jobs(connection)
        assert "disk on fire" in dead["error"]

        monkeypatch.setattr(processing, "owe", real)
        async with resources.database.transaction() as connection:
            assert await revive(connection, dead["job_id"])
        await until(resources, ["analyzed"])


async def test_an_upload_that_was_given_up_is_tried_again_when_it_is_sent_again(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings, monkeypatch
) -> None:
    real = processing.owe

    async def breaks(*_arguments, **_named):
        raise OSError("disk on fire")

    monkeypatch.setattr(processing, "owe", breaks)
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        given_up = data(await upload(client, tenant.as_key, report({"a": PASS})))
        monkeypatch.setattr(processing, "owe", real)
        again = data(await upload(client, tenant.as_key, report({"a": PASS})))
    assert (given_up["state"], again["state"]) == ("failed", "analyzed")
    assert given_up["ingestion_id"] == again["ingestion_id"]


def test_the_runner_gives_bullmq_the_same_delays() -> None:
    assert 16 <= backoff_ms(1, "flakeguard", None, None) <= 20

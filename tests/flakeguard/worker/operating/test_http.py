"""The worker's HTTP: health, metrics, the queue API and who may use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from pydantic import SecretStr

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.operating import inspecting
from flakeguard.worker.operating.serving import create_worker_app
from fluxbase.db import Connection
from fluxbase.resources import Resources

KEY = "a-key-of-the-operators"
HERE = ("127.0.0.1", 50000)
ELSEWHERE = ("10.1.2.3", 50000)


@asynccontextmanager
async def serving(
    resources: Resources,
    settings: FlakeGuardSettings,
    *,
    key: str | None = None,
    client: tuple[str, int] = HERE,
    port: int = 8080,
    metrics: WorkerMetrics | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    told = settings.model_copy(update={"api_key": SecretStr(key) if key else None})
    app = create_worker_app(told, resources, metrics or WorkerMetrics(CollectorRegistry()), None)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=client)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://localhost:{port}") as opened:
        yield opened


@pytest.fixture
async def api(resources: Resources, settings: FlakeGuardSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(resources, settings) as opened:
        yield opened


async def bury(connection: Connection, job_id: str, queue: str = "runs:ingest") -> None:
    await connection.execute(
        "INSERT INTO outbox (queue, name, job_id, data, dead_at, error)"
        " VALUES ($2, 'process-upload', $1, '{}', now(), 'it is broken')",
        job_id,
        queue,
    )


async def test_health_has_the_documents_shape(api: httpx.AsyncClient) -> None:
    answer = await api.get("/health")
    body = answer.json()
    assert answer.status_code == 200
    assert list(body)[:6] == ["status", "timestamp", "uptime", "version", "environment", "checks"]
    assert body["status"] == "healthy"
    assert body["environment"] == "development"
    assert set(body["checks"]) == {"database", "redis", "queues", "memory"}
    assert set(body["checks"]["database"]) == {"status", "responseTime", "lastChecked"}
    assert body["checks"]["redis"]["details"] == {"cluster": False, "nodes": 1}
    assert body["checks"]["queues"]["details"] == {"totalWaiting": 0, "totalActive": 0, "totalFailed": 0}
    assert body["checks"]["memory"]["details"]["rss"] > 10_000_000
    assert {"name", "waiting", "active", "delayed", "failed"} <= set(body["queues"][0])
    assert (await api.get("/health/ready")).json() == {"status": "ready"}
    assert (await api.get("/health/live")).json() == {"status": "alive"}


async def test_without_redis_it_is_unhealthy_and_alive(resources: Resources, settings: FlakeGuardSettings) -> None:
    from dataclasses import replace

    from fluxbase.resources import connect_redis

    away = replace(resources, redis=connect_redis("redis://127.0.0.1:1/0"))
    async with serving(away, settings) as api:
        answer = await api.get("/health")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.json()["checks"]["redis"]["status"] == "unhealthy"
        assert answer.json()["checks"]["database"]["status"] == "healthy"
        assert (await api.get("/health/ready")).status_code == 503
        assert (await api.get("/health/live")).status_code == 200
        metrics = (await api.get("/metrics")).text
    assert "flakeguard_worker_health 0.0" in metrics
    assert "flakeguard_worker_queue_size{" not in metrics


async def test_jobs_are_enqueued_seen_paused_and_resumed(resources: Resources, api: httpx.AsyncClient) -> None:
    data = {"ingestionId": str(uuid4())}
    made = await api.post("/queues/runs:ingest/jobs", json={"name": "process-upload", "data": data})
    assert made.status_code == 202, made.text
    seen = (await api.get(f"/queues/runs-ingest/jobs/{made.json()['id']}")).json()
    assert seen["state"] == "owed"
    assert seen["data"]["ingestionId"] == data["ingestionId"]
    assert seen["data"]["correlationId"], "a job without a correlation id cannot be followed"
    await inspecting.bull_queue(resources.redis, "runs:ingest").add("process-upload", data, {"jobId": "theirs"})
    assert (await api.get("/queues/runs:ingest/stats")).json()["waiting"] == 1
    listed = (await api.get("/queues/runs:ingest/jobs", params={"state": "waiting"})).json()["jobs"]
    assert [job["id"] for job in listed] == ["theirs"]
    assert (await api.post("/queues/runs-ingest/pause")).json() == {"paused": True}
    stats = (await api.get("/queues/runs:ingest/stats")).json()
    assert stats["paused"] is True
    assert stats["waiting"] == 1
    assert (await api.post("/queues/runs:ingest/resume")).json() == {"paused": False}
    assert (await api.get("/queues")).json()["queues"][0]["paused"] is False


async def test_dead_letters_say_why_and_are_retried(
    resources: Resources, api: httpx.AsyncClient, owner: Connection
) -> None:
    for job_id in ("one", "two", "three"):
        await bury(owner, job_id)
    await bury(owner, "elsewhere", "runs:analyze")
    failed = (await api.get("/queues/runs:ingest/failed")).json()["jobs"]
    assert {job["id"] for job in failed} == {"one", "two", "three"}
    assert failed[0]["error"] == "it is broken"
    assert failed[0]["kept"] is True
    assert (await api.post("/queues/runs-ingest/retry/one")).status_code == 202
    assert (await api.post("/queues/runs-ingest/retry/one")).status_code == 404, "it has been retried"
    assert (await api.post("/queues/runs:ingest/retry-failed")).json() == {"retried": 2}
    left = await owner.fetch("SELECT job_id FROM outbox WHERE dead_at IS NOT NULL")
    assert [row["job_id"] for row in left] == ["elsewhere"], "another queue's dead letters stay"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/queues/nothing/stats", None, 404, "queue_not_found"),
        ("GET", "/queues/runs:ingest/jobs?state=lost", None, 400, "invalid_state"),
        ("GET", "/queues/runs:ingest/jobs/nobody", None, 404, "job_not_found"),
        ("POST", "/queues/runs:ingest/retry/nobody", None, 404, "job_not_found"),
        ("POST", "/queues/runs:ingest/jobs", {"name": "dance", "data": {}}, 400, "invalid_job"),
        ("POST", "/queues/runs:ingest/jobs", {"name": "process-upload", "data": {}}, 400, "invalid_job"),
        ("POST", "/queues/runs:ingest/jobs", {"data": {}}, 422, "validation_failed"),
    ],
)
async def test_mistakes_are_told(
    api: httpx.AsyncClient, method: str, path: str, body: object, status: int, code: str
) -> None:
    answer = await api.request(method, path, json=body)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert answer.json()["request_id"]


async def test_with_a_key_only_who_has_it(resources: Resources, settings: FlakeGuardSettings) -> None:
    async with serving(resources, settings, key=KEY, client=ELSEWHERE) as api:
        assert (await api.get("/queues")).status_code == 401
        assert (await api.post("/queues/polling/pause", headers={"X-API-Key": KEY[:-1]})).status_code == 401
        assert (await api.get("/queues", headers={"X-API-Key": KEY})).status_code == 200
        assert (await api.get("/queues", headers={"Authorization": f"Bearer {KEY}"})).status_code == 200
        assert (await api.get("/health")).status_code == 200, "a probe has no key"


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        (ELSEWHERE, {}),
        (HERE, {"X-Forwarded-For": "127.0.0.1"}),
        (HERE, {"Host": "rebound.example.com"}),
        (HERE, {"Origin": "http://localhost:8080"}),
    ],
    ids=["another machine", "a proxy", "a name that leads here", "a page of a browser"],
)
async def test_without_a_key_only_this_machine(
    resources: Resources, settings: FlakeGuardSettings, client: tuple[str, int], headers: dict[str, str]
) -> None:
    async with serving(resources, settings, client=client) as api:
        answer = await api.post("/queues/runs:ingest/pause", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "api_key_not_set")


async def test_on_the_port_of_the_metrics_is_nothing_else(resources: Resources, settings: FlakeGuardSettings) -> None:
    async with serving(resources, settings, port=settings.metrics_port) as api:
        assert (await api.get("/queues")).status_code == 404
        answer = await api.get("/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert list(text_string_to_metric_families(answer.text))


async def test_metrics_can_be_switched_off(resources: Resources, settings: FlakeGuardSettings) -> None:
    async with serving(resources, settings.model_copy(update={"metrics_enabled": False})) as api:
        assert (await api.get("/metrics")).status_code == 404

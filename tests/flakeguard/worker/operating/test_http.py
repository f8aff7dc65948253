"""The worker's HTTP: health, metrics, the queue API and who may use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from pydantic import SecretStr

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.operating import inspecting, routes
from flakeguard.worker.operating.serving import create_worker_app
from fluxbase.db import Connection, Database
from fluxbase.db.pool import Pool
from fluxbase.db.statements import Statements
from fluxbase.resources import Resources, connect_redis
from fluxbase.settings import Environment

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


DOCUMENTED = {
    "status": "healthy",
    "timestamp": "2024-01-15T10:30:00Z",
    "uptime": 3600000,
    "version": "1.0.0",
    "environment": "production",
    "checks": {
        "database": {"status": "healthy", "responseTime": 25, "lastChecked": "2024-01-15T10:30:00Z"},
        "redis": {"status": "healthy", "responseTime": 2, "details": {"cluster": False, "nodes": 1}},
        "queues": {"status": "healthy", "details": {"totalWaiting": 12, "totalActive": 3, "totalFailed": 0}},
    },
}
"""The example of the worker document."""


def shape(body: Any, path: str = "") -> dict[str, str]:
    """JSON's kind of value at each path."""
    if isinstance(body, dict):
        return {at: kind for key, value in body.items() for at, kind in shape(value, f"{path}.{key}").items()}
    return {path: "number" if type(body) in (int, float) else type(body).__name__}


async def test_health_is_as_the_document_shows_it(resources: Resources, settings: FlakeGuardSettings) -> None:
    production = settings.model_copy(update={"environment": Environment.PROD})
    await inspecting.bull_queue(resources.redis, "polling").add("discover", {})
    async with serving(resources, production) as api:
        body = (await api.get("/health")).json()
    assert list(body)[:6] == list(DOCUMENTED)
    assert shape(DOCUMENTED).items() <= shape(body).items()
    assert (body["status"], body["environment"]) == ("healthy", "production")
    assert body["checks"]["queues"]["details"] == {"totalWaiting": 1, "totalActive": 0, "totalFailed": 0}
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    assert 0 < body["uptime"] < 3_600_000, "milliseconds"


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


@asynccontextmanager
async def away(resources: Resources, server: str) -> AsyncIterator[Resources]:
    """As when that server refuses connections."""
    if server == "redis":
        yield replace(resources, redis=connect_redis("redis://127.0.0.1:1/0"))
        return
    async with asyncpg.create_pool("postgresql://nobody@127.0.0.1:1/none", min_size=0) as pool:
        yield replace(resources, database=Database(Pool(pool), Statements()))


@pytest.mark.parametrize(("server", "other"), [("redis", "database"), ("database", "redis")])
async def test_without_a_server_it_is_unhealthy_and_alive(
    resources: Resources, settings: FlakeGuardSettings, server: str, other: str
) -> None:
    async with away(resources, server) as crippled, serving(crippled, settings) as api:
        answer = await api.get("/health")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        body = answer.json()
        assert (body["status"], body["checks"][server]["status"]) == ("unhealthy", "unhealthy")
        assert body["checks"][other]["status"] == "healthy"
        assert shape(DOCUMENTED).items() <= shape(body).items(), "whoever reads it need not look which way it went"
        ready = await api.get("/health/ready")
        assert (ready.status_code, ready.json()) == (503, {"status": "not ready"})
        assert (await api.get("/health/live")).json() == {"status": "alive"}
        metrics = (await api.get("/metrics")).text
    assert "flakeguard_worker_health 0.0" in metrics
    assert "flakeguard_worker_queue_size{" not in metrics


async def test_a_number_that_no_column_takes_is_refused_at_once(api: httpx.AsyncClient) -> None:
    job = {"name": "recompute-project", "data": {"projectId": 2**63}}
    refused = await api.post("/queues/runs:analyze/jobs", json=job)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_job"), refused.text
    assert "data.projectId" in refused.json()["message"]


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


async def test_of_many_dead_letters_the_newest_are_seen(api: httpx.AsyncClient, owner: Connection) -> None:
    for job_id in ("oldest", "older", "newest"):
        await bury(owner, job_id)
    failed = (await api.get("/queues/runs:ingest/failed", params={"limit": 2})).json()["jobs"]
    assert [job["id"] for job in failed] == ["newest", "older"]


async def test_a_dead_letter_that_redis_has_forgotten_says_how_often_it_was_tried(
    api: httpx.AsyncClient, owner: Connection
) -> None:
    await bury(owner, "one")
    await owner.execute("UPDATE outbox SET tries = 4, deliveries = 1")
    seen = (await api.get("/queues/runs:ingest/jobs/one")).json()
    assert (seen["state"], seen["tries"], seen["error"]) == ("failed", 4, "it is broken")


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


ENDPOINTS = sorted((method, route.path) for route in routes.router.routes for method in route.methods)


def test_the_endpoints_of_the_document_and_ours_beside_it() -> None:
    assert set(ENDPOINTS) == {
        ("GET", "/queues/{queue}/stats"),
        ("GET", "/queues/{queue}/failed"),
        ("POST", "/queues/{queue}/retry/{job_id}"),
        ("POST", "/queues/{queue}/retry-failed"),
        ("POST", "/queues/{queue}/pause"),
        ("POST", "/queues/{queue}/resume"),
        ("GET", "/queues"),
        ("GET", "/queues/{queue}/jobs"),
        ("GET", "/queues/{queue}/jobs/{job_id}"),
        ("POST", "/queues/{queue}/jobs"),
    }


@pytest.mark.parametrize(("method", "template"), ENDPOINTS, ids=lambda part: part)
async def test_with_a_key_only_who_has_it(
    resources: Resources, settings: FlakeGuardSettings, owner: Connection, method: str, template: str
) -> None:
    await bury(owner, "one")
    path = template.format(queue="runs:ingest", job_id="one")
    body = {"name": "process-upload", "data": {"ingestionId": str(uuid4())}} if template.endswith("/jobs") else None
    wrong = ({}, {"X-API-Key": KEY[:-1]}, {"X-API-Key": f"{KEY}!"}, {"X-API-Key": ""}, {"X-API-Key": "é"},
             {"Authorization": f"Basic {KEY}"}, {"Authorization": "Bearer"})  # fmt: skip
    async with serving(resources, settings, key=KEY, client=ELSEWHERE) as api:
        for headers in wrong:
            sent = {name: value.encode() for name, value in headers.items()}
            answer = await api.request(method, path, json=body, headers=sent)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_api_key"), headers
        assert KEY not in answer.text
        assert await owner.fetchval("SELECT count(*) FROM outbox WHERE dead_at IS NULL") == 0, "nothing was done"
        for headers in ({"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}):
            assert (await api.request(method, path, json=body, headers=headers)).status_code != 401
        assert (await api.get("/health")).status_code == 200, "a probe has no key"


async def test_with_a_key_this_machine_needs_it_too(resources: Resources, settings: FlakeGuardSettings) -> None:
    async with serving(resources, settings, key=KEY, client=HERE) as api:
        assert (await api.get("/queues")).status_code == 401


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

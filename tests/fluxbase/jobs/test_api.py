"""The API: who may submit, who sees what, limits, and what operators look at."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from fluxbase.auth.access_tokens import issue_for_role
from fluxbase.db import Claims
from fluxbase.jobs import Job, jobs_health, running_jobs
from fluxbase.jobs.repository import declare_functions
from fluxbase.jobs.scheduling import declare_schedules, submit_due
from fluxbase.resources import Resources
from fluxbase.settings import Settings

from ..serving import PASSWORD, bearer
from .conftest import Jobs


async def nothing(_job: Job) -> None: ...


@pytest.fixture(autouse=True)
async def functions(jobs: Jobs) -> None:
    jobs.functions.function("public", callable_by=("authenticated",))(nothing)
    jobs.functions.function("open", callable_by=("anon", "authenticated"))(nothing)
    jobs.functions.function("internal")(nothing)
    async with jobs.resources.database.transaction() as connection:
        await declare_functions(connection, jobs.functions)


@pytest.fixture
def operator(resources: Resources) -> dict[str, str]:
    secret = resources.addresses.secret
    token = issue_for_role(secret, "service_role", now=datetime.now(UTC), lifetime=timedelta(hours=1))
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
async def mallory(client: httpx.AsyncClient, ada: dict[str, Any]) -> dict[str, str]:
    answer = await client.post("/api/v1/auth/signup", json={"email": "mallory@example.com", "password": PASSWORD})
    client.cookies.clear()
    assert ada["access_token"] != answer.json()["access_token"]
    return bearer(answer.json())


async def submit(client: httpx.AsyncClient, headers: dict[str, str], status: int = 201, **body: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/jobs/submit", json={"name": "public"} | body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def key(client: httpx.AsyncClient, operator: dict[str, str], *scopes: str) -> dict[str, str]:
    answer = await client.post("/api/v1/admin/service-keys", json={"name": "k", "scopes": scopes}, headers=operator)
    assert answer.status_code == 201, answer.text
    return {"X-Service-Key": answer.json()["key"]}


async def test_a_user_submits_and_sees_it_through(client: httpx.AsyncClient, ada: dict[str, Any], jobs: Jobs) -> None:
    job = await submit(client, bearer(ada), payload={"shop": 1}, priority=-1)
    assert (job["status"], job["payload"], job["priority"], job["user_id"]) == (
        "pending", {"shop": 1}, -1, ada["user"]["id"],
    )  # fmt: skip
    assert "error_stack" not in job
    await jobs.start()
    await jobs.ended(job["id"])
    found = (await client.get(f"/api/v1/jobs/{job['id']}", headers=bearer(ada))).json()
    assert (found["status"], found["attempts"]) == ("completed", 1)


async def test_strangers_see_and_touch_nothing(
    client: httpx.AsyncClient, ada: dict[str, Any], mallory: dict[str, str], jobs: Jobs
) -> None:
    job = await submit(client, bearer(ada), payload={"secret": "ada's"}, idempotency_key="k")
    for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry")):
        answer = await client.request(method, f"/api/v1/jobs/{job['id']}{path}", headers=mallory)
        assert answer.status_code == 404, (method, path)
    assert (await client.get("/api/v1/jobs", headers=mallory)).json() == {"jobs": [], "next": None}
    assert (await client.get(f"/api/v1/jobs?before={job['id']}", headers=mallory)).json()["jobs"] == []
    assert (await submit(client, mallory, idempotency_key="k"))["id"] != job["id"]
    for path in ("", f"/{job['id']}"):
        assert (await client.get(f"/api/v1/jobs{path}")).status_code == 401
    for statement in (
        "UPDATE jobs.jobs SET priority = 9", "DELETE FROM jobs.jobs", "INSERT INTO jobs.jobs (name) VALUES ('x')",
        "SELECT error_stack FROM jobs.jobs", "SELECT 1 FROM jobs.workers", "UPDATE jobs.functions SET max_attempts = 9",
    ):  # fmt: skip
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with jobs.resources.database.transaction(Claims("authenticated", ada["user"]["id"])) as connection:
                await connection.execute(statement)
    for sub in (str(uuid4()), ada["user"]["id"]):
        async with jobs.resources.database.transaction(Claims("authenticated", sub)) as connection:
            seen = await connection.fetchval("SELECT count(*) FROM jobs.jobs")
            assert seen == (1 if sub == ada["user"]["id"] else 0)


async def test_who_may_submit_what(client: httpx.AsyncClient, ada: dict[str, Any], operator: dict[str, str]) -> None:
    for name in ("internal", "no such function"):
        body = await submit(client, bearer(ada), 403, name=name)
        assert body["error"] == "permission_denied"
    assert (await client.post("/api/v1/jobs/submit", json={"name": "public"})).status_code == 403  # nobody signed in
    assert (await submit(client, bearer(ada), 403, priority=1))["error"] == "permission_denied"
    await submit(client, operator, name="internal", priority=1000)
    assert (await submit(client, operator, 404, name="nowhere"))["error"] == "unknown_function"


async def test_scopes_of_keys(client: httpx.AsyncClient, operator: dict[str, str]) -> None:
    reads, writes = await key(client, operator, "jobs:read"), await key(client, operator, "jobs:write")
    job = await submit(client, writes, name="internal")
    await submit(client, reads, 403, name="internal")
    address = f"/api/v1/jobs/{job['id']}"
    assert (await client.get(address, headers=reads)).json()["error_stack"] is None
    assert (await client.get(address, headers=writes)).status_code == 403
    assert (await client.post(f"{address}/cancel", headers=reads)).status_code == 403
    assert (await client.post(f"{address}/cancel", headers=writes)).json()["status"] == "cancelled"
    assert (await client.get("/api/v1/admin/jobs/stats", headers=reads)).status_code == 403


async def test_what_cannot_be_taken_is_said_in_words(client: httpx.AsyncClient, ada: dict[str, Any]) -> None:
    headers = bearer(ada)
    assert (await submit(client, headers, 413, payload={"x": "y" * 70_000}))["error"] == "payload_too_large"
    assert (await submit(client, headers, 400, max_attempts=4))["error"] == "invalid_job"
    assert (await submit(client, headers, 400, payload={"nul": "a\0b"}))["error"] == "invalid_request"
    assert (await submit(client, headers, 400, scheduled_at="0001-01-01T00:00:00+10:00"))["error"] == "invalid_job"
    for wrong in (
        {"payload": [1]}, {"scheduled_at": "2026-01-01T00:00:00"}, {"priority": 10**6}, {"name": ""}, {"nmae": "x"},
    ):  # fmt: skip
        await submit(client, headers, 422, **wrong)
    text = '{"name": "public", "payload": {"n": NaN}}'
    answer = await client.post(
        "/api/v1/jobs/submit", content=text, headers=headers | {"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    for bad in ("status=lost", "limit=0", "limit=1000", "before=7"):
        assert (await client.get(f"/api/v1/jobs?{bad}", headers=headers)).status_code == 422
    assert (await client.get("/api/v1/jobs?name=a%00b", headers=headers)).status_code in (400, 422)
    assert (await client.get("/api/v1/jobs/not-an-id", headers=headers)).status_code == 422


async def test_the_same_key_is_the_same_job(client: httpx.AsyncClient, ada: dict[str, Any]) -> None:
    first = await submit(client, bearer(ada), idempotency_key="once")
    second = await submit(client, bearer(ada), 200, idempotency_key="once", payload={"other": True})
    assert second["id"] == first["id"]


async def test_who_is_nobody_has_no_keys(client: httpx.AsyncClient, operator: dict[str, str]) -> None:
    theirs = await submit(client, operator, name="open", idempotency_key="k", payload={"secret": "the service's"})
    refused = await submit(client, {}, 400, name="open", idempotency_key="k")
    assert refused["error"] == "invalid_job"
    await submit(client, {}, 400, name="open", idempotency_key="another")
    assert (await submit(client, {}, name="open"))["id"] != theirs["id"]
    assert (await submit(client, operator, 200, name="open", idempotency_key="k"))["id"] == theirs["id"]


async def test_nobody_takes_a_schedules_key(jobs: Jobs, client: httpx.AsyncClient, operator: dict[str, str]) -> None:
    jobs.functions.schedule("nightly", function="internal", cron="0 3 * * *")
    async with jobs.resources.database.transaction() as connection:
        await declare_schedules(connection, jobs.functions, datetime.now(UTC) - timedelta(days=2))
        due: datetime = await connection.fetchval("SELECT next_run_at FROM jobs.schedules")
    latest = due + timedelta(days=(datetime.now(UTC) - due).days)
    for taken in (latest.isoformat(), f"schedule nightly {latest.isoformat()}"):
        await submit(client, operator, name="internal", idempotency_key=taken)
    async with jobs.resources.database.transaction() as connection:
        await submit_due(connection, jobs.functions)
    assert await jobs.sql("SELECT array_agg(scheduled_at) FROM jobs.jobs WHERE schedule = 'nightly'") == [latest]
    # Nor does a service get the schedule's job for its key.
    key = await jobs.sql("SELECT idempotency_key FROM jobs.jobs WHERE schedule = 'nightly'")
    assert (await submit(client, operator, 200, name="internal", idempotency_key=key))["id"] != await jobs.sql(
        "SELECT id::text FROM jobs.jobs WHERE schedule = 'nightly'"
    )


async def test_only_so_many_jobs_of_a_user_wait(
    app: FastAPI, client: httpx.AsyncClient, ada: dict[str, Any], mallory: dict[str, str], operator: dict[str, str]
) -> None:
    app.state.settings = app.state.settings.model_copy(update={"jobs_max_pending_per_user": 2})
    first = await submit(client, bearer(ada), idempotency_key="first")
    second = await submit(client, bearer(ada))
    refused = await client.post("/api/v1/jobs/submit", json={"name": "public"}, headers=bearer(ada))
    assert (refused.status_code, refused.json()["error"]) == (429, "too_many_pending_jobs")
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json()["message"].startswith("2 jobs of yours wait already")
    assert len((await client.get("/api/v1/jobs", headers=bearer(ada))).json()["jobs"]) == 2
    # What is there already may be asked for again; others have room of their own, and services as much as they like.
    assert (await submit(client, bearer(ada), 200, idempotency_key="first"))["id"] == first["id"]
    for headers in (mallory, operator, operator, operator):
        await submit(client, headers)
    await client.post(f"/api/v1/jobs/{second['id']}/cancel", headers=bearer(ada))
    await submit(client, bearer(ada))
    retried = await client.post(f"/api/v1/jobs/{second['id']}/retry", headers=bearer(ada))
    assert retried.json()["error"] == "too_many_pending_jobs"
    assert (await client.get(f"/api/v1/jobs/{second['id']}", headers=bearer(ada))).json()["status"] == "cancelled"


async def test_cancel_and_retry(client: httpx.AsyncClient, ada: dict[str, Any]) -> None:
    headers = bearer(ada)
    address = f"/api/v1/jobs/{(await submit(client, headers))['id']}"
    assert (await client.post(f"{address}/retry", headers=headers)).json()["error"] == "job_not_finished"
    assert (await client.post(f"{address}/cancel", headers=headers)).json()["status"] == "cancelled"
    answer = await client.post(f"{address}/cancel", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (409, "job_finished")
    again = (await client.post(f"{address}/retry", headers=headers)).json()
    assert (again["status"], again["attempts"], again["completed_at"], again["cancel_requested_at"]) == (
        "pending", 0, None, None,
    )  # fmt: skip


async def test_pages_and_filters(client: httpx.AsyncClient, ada: dict[str, Any], operator: dict[str, str]) -> None:
    ids = [(await submit(client, bearer(ada)))["id"] for _ in range(5)]
    await submit(client, operator, name="internal")
    page = (await client.get("/api/v1/jobs?limit=2", headers=bearer(ada))).json()
    seen = [job["id"] for job in page["jobs"]]
    while page["next"]:
        page = (await client.get(f"/api/v1/jobs?limit=2&before={page['next']}", headers=bearer(ada))).json()
        seen += [job["id"] for job in page["jobs"]]
    assert seen == ids[::-1]
    everybodys = (await client.get("/api/v1/jobs?status=pending", headers=operator)).json()["jobs"]
    assert len(everybodys) == 6
    assert len((await client.get("/api/v1/jobs?name=internal", headers=operator)).json()["jobs"]) == 1
    assert (await client.get("/api/v1/jobs?status=failed", headers=operator)).json()["jobs"] == []


async def test_operators_see_queue_workers_and_schedules(
    client: httpx.AsyncClient, app: FastAPI, jobs: Jobs, ada: dict[str, Any], operator: dict[str, str],
    settings: Settings, resources: Resources,
) -> None:  # fmt: skip
    assert (await jobs_health(resources))["status"] == "degraded"
    waiting = await submit(client, bearer(ada), scheduled_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    jobs.functions.schedule("nightly", function="internal", cron="0 3 * * *")
    async with running_jobs(resources, settings, jobs.functions, metrics=app.state.metrics.jobs, name="w1"):
        done = await submit(client, bearer(ada))
        await jobs.ended(done["id"])
        health = await jobs_health(resources)
        stats = (await client.get("/api/v1/admin/jobs/stats", headers=operator)).json()
        workers = (await client.get("/api/v1/admin/jobs/workers", headers=operator)).json()["workers"]
        schedules = (await client.get("/api/v1/admin/jobs/schedules", headers=operator)).json()["schedules"]
        switched = await client.patch("/api/v1/admin/jobs/schedules/nightly", json={"enabled": False}, headers=operator)
        async with asyncio.timeout(20):  # the gauges are read every few seconds
            while "fluxbase_jobs_pending 1.0" not in (metrics := (await client.get("/metrics")).text):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    assert health["status"] == "healthy"
    assert health["latency_ms"] > 0
    assert (stats["queue"]["pending"], stats["queue"]["completed"], stats["due"]) == (1, 1, 0)
    assert [(worker["name"], worker["status"], worker["concurrency"]) for worker in workers] == [("w1", "active", 5)]
    assert [schedule["name"] for schedule in schedules] == ["fluxbase.jobs.clean", "nightly"]
    assert switched.json()["enabled"] is False
    assert 'fluxbase_jobs_completed_total{function="public"} 1.0' in metrics
    assert 'fluxbase_job_execution_duration_seconds_count{function="public"} 1.0' in metrics
    for path in ("stats", "workers", "schedules"):
        assert (await client.get(f"/api/v1/admin/jobs/{path}", headers=bearer(ada))).status_code == 403
        assert (await client.get(f"/api/v1/admin/jobs/{path}")).status_code == 401
    missing = await client.patch("/api/v1/admin/jobs/schedules/none", json={"enabled": True}, headers=operator)
    assert missing.status_code == 404
    assert waiting["status"] == "pending"


async def test_health_says_what_is_wrong(jobs: Jobs, resources: Resources) -> None:
    async def health() -> tuple[str, str]:
        found = await jobs_health(resources)
        return found["status"], found.get("message", "")

    assert await health() == ("degraded", "no worker is active")
    await jobs.worker()._register()
    assert await health() == ("healthy", "")
    await jobs.sql("INSERT INTO jobs.jobs (name, scheduled_at) VALUES ('x', now() - interval '10 minutes')")
    assert (await health())[1].startswith("1 jobs are due, one for 60")
    await jobs.sql("UPDATE jobs.workers SET last_heartbeat_at = now() - interval '2 minutes'")
    assert await health() == ("degraded", "no worker is active")
    seldom = await jobs_health(resources, dead_after=timedelta(minutes=3))
    assert seldom["message"].startswith("1 jobs are due"), "its heart beats seldom by its settings"


async def test_what_ended_long_ago_is_deleted(jobs: Jobs, settings: Settings, resources: Resources) -> None:
    for status, days in (("completed", 8), ("failed", 8), ("cancelled", 6), ("completed", 6)):
        await jobs.sql(
            "INSERT INTO jobs.jobs (name, status, completed_at) VALUES ('x', $1, now() - make_interval(days => $2))",
            status, days,
        )  # fmt: skip
    await jobs.sql("INSERT INTO jobs.jobs (name, created_at) VALUES ('x', now() - interval '1 year')")
    async with running_jobs(resources, settings, jobs.functions):
        cleaning = await jobs.sql("INSERT INTO jobs.jobs (name) VALUES ('fluxbase.jobs.clean') RETURNING id")
        assert (await jobs.ended(cleaning)).result == {"jobs": 2, "workers": 0}
    assert await jobs.sql("SELECT count(*) FROM jobs.jobs WHERE name = 'x'") == 3

"""The operators' page: who sees it, what it shows, and what its buttons do."""

from datetime import UTC, datetime

import httpx
import pytest
from prometheus_client import CollectorRegistry
from tests.flakeguard.conftest import Tenant

from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.operating import history
from flakeguard.worker.operating.inspecting import bull_queue
from flakeguard.worker.operating.operators import make_operator, operators, unmake_operator
from fluxbase.db import Connection
from fluxbase.http.csrf import token_for
from fluxbase.resources import Resources


@pytest.fixture
async def operator(resources: Resources, tenant: Tenant) -> Tenant:
    async with resources.database.transaction() as connection:
        assert await make_operator(connection, tenant.user.email)
        assert await operators(connection) == [tenant.user.email]
    return tenant


def form(resources: Resources, tenant: Tenant, **fields: str) -> dict[str, str]:
    return {"csrf_token": token_for(resources.addresses.secret, tenant.cookie), **fields}


async def bury(owner: Connection, job_id: str) -> None:
    await owner.execute(
        "INSERT INTO outbox (queue, name, job_id, data, dead_at, error, stack)"
        " VALUES ('runs:ingest', 'process-run', $1, '{\"workflowRunId\": 7}', now(), 'the <ZIP> is half', 'a stack')",
        job_id,
    )


async def test_an_owner_of_an_organization_is_no_operator(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert (await client.get("/queues", headers=tenant.as_browser)).status_code == 404


async def test_who_operates_no_more_sees_nothing(
    client: httpx.AsyncClient, resources: Resources, operator: Tenant, stranger: Tenant
) -> None:
    assert (await client.get("/queues", headers=operator.as_browser)).status_code == 200
    assert (await client.get("/queues", headers=stranger.as_browser)).status_code == 404
    async with resources.database.transaction() as connection:
        assert await unmake_operator(connection, operator.user.email)
    assert (await client.get("/queues", headers=operator.as_browser)).status_code == 404


async def test_failures_are_shown_with_their_cause_and_retried(
    client: httpx.AsyncClient, resources: Resources, owner: Connection, operator: Tenant, stranger: Tenant
) -> None:
    await bury(owner, "broken")
    page = (await client.get("/queues", headers=operator.as_browser)).text
    assert "the &lt;ZIP&gt; is half" in page
    assert "a stack" in page
    live = await client.get("/queues", headers=operator.as_browser | {"HX-Request": "true", "HX-Target": "live"})
    assert 'value="broken"' in live.text
    assert page.count('action="/queues/discard"') == page.count("<dialog") == 1  # a question first
    fields = form(resources, operator, queue="runs:ingest", job="broken")
    refused = await client.post("/queues/retry", data={**fields, "csrf_token": "x"}, headers=operator.as_browser)
    assert refused.status_code == 403
    theirs = form(resources, stranger, queue="runs:ingest", job="broken")
    assert (await client.post("/queues/retry", data=theirs, headers=stranger.as_browser)).status_code == 404
    assert await owner.fetchval("SELECT dead_at IS NOT NULL FROM outbox WHERE job_id = 'broken'")
    done = await client.post("/queues/retry", data=fields, headers=operator.as_browser)
    assert done.status_code == 303
    assert await owner.fetchval("SELECT dead_at IS NULL FROM outbox WHERE job_id = 'broken'")
    assert await owner.fetchval("SELECT actor FROM dead_letter_acts") == operator.user.email


async def test_more_failures_than_are_shown_are_told_of(
    client: httpx.AsyncClient, resources: Resources, owner: Connection, operator: Tenant
) -> None:
    for number in range(50):
        await bury(owner, f"broken-{number}")
    assert "More have failed" not in (await client.get("/queues", headers=operator.as_browser)).text
    await bury(owner, "one more")
    page = (await client.get("/queues", headers=operator.as_browser)).text
    assert "More have failed than the 50 newest" in page
    assert page.count('action="/queues/retry"') == 50


async def test_discard_pause_and_resume(
    client: httpx.AsyncClient, resources: Resources, owner: Connection, operator: Tenant
) -> None:
    await bury(owner, "broken")
    queue = bull_queue(resources.redis, "runs:ingest")
    for act, paused in (("discard", False), ("pause", True), ("resume", False)):
        fields = form(resources, operator, queue="runs:ingest", job="broken")
        answer = await client.post(f"/queues/{act}", data=fields, headers=operator.as_browser)
        assert answer.status_code == 303, act
        assert await queue.isPaused() is paused
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 0


async def test_the_last_hour_holds_what_ended_and_what_waits(resources: Resources) -> None:
    metrics = WorkerMetrics(CollectorRegistry())
    for _ in range(3):
        with metrics.job("runs:ingest"):
            pass
    await bull_queue(resources.redis, "runs:ingest").add("process-run", {})
    await history.sample(resources, metrics.throughput)
    await history.sample(resources, metrics.throughput)
    minutes = await history.last_hour(resources)
    assert len(minutes) == history.MINUTES
    assert sum(one.ended for one in minutes) == 3, "a sample counts what ended since the one before"
    assert max(one.waiting for one in minutes) == 1
    assert minutes[-1].at <= datetime.now(UTC).timestamp()

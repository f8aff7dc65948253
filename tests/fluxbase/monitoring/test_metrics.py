"""Every metric that is declared moves. One that does not is a lie on somebody's dashboard."""

import asyncio

import asyncpg
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fluxbase.db import ANONYMOUS
from fluxbase.monitoring import Metrics, metrics_of

from ..serving import PASSWORD, bearer


async def scrape(client: httpx.AsyncClient) -> dict[str, dict[tuple, float]]:
    """Family → labels → value, as Prometheus reads it."""
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        family.name: {(sample.name, *sorted(sample.labels.items())): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(answer.text)
        if not family.name.endswith("_created")
    }


def total(families: dict, name: str) -> float:
    samples = families.get(name, {})
    return sum(value for (sample, *_), value in samples.items() if not sample.endswith(("_created", "_bucket")))


ROOMS = ("fluxbase_job", "fluxbase_realtime", "fluxbase_storage")  # moved by test_rooms.py, with all that runs


async def test_every_declared_metric_moves(app, client, ada, resources):
    declared = {metric.name for metric in metrics_of(app).registry.collect()}
    before = await scrape(client)
    assert declared == set(before)
    declared = {name for name in declared if not name.startswith(ROOMS)}

    for password in (PASSWORD, *("wrong",) * 11):
        await client.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": password})
    client.cookies.clear()
    held = [resources.database.transaction() for _ in range(resources.database.pool.get_max_size())]
    for transaction in held:
        await transaction.__aenter__()
    waiting = [asyncio.create_task(client.get("/api/v1/auth/user", headers=bearer(ada))) for _ in range(3)]
    while resources.database.waiting < 3:  # noqa: ASYNC110 -- a plain number, on purpose
        await asyncio.sleep(0)
    during = await scrape(client)
    for transaction in held:
        await transaction.__aexit__(None, None, None)
    await asyncio.gather(*waiting)
    after = await scrape(client)

    moved = {name for name in declared if len({total(state, name) for state in (before, during, after)}) > 1}
    # The size of the pool is a setting: it is right, and it stays.
    assert declared - moved == {"fluxbase_db_connections_max"}
    assert total(after, "fluxbase_db_connections_max") == 8

    assert total(during, "fluxbase_db_connections") == 8
    assert total(during, "fluxbase_db_connections_idle") == 0
    assert total(during, "fluxbase_db_connections_waiting") == 3
    assert total(after, "fluxbase_db_connections_waiting") == 0
    assert total(during, "fluxbase_http_requests_in_flight") == 4  # three that wait, and the scrape itself
    assert total(after, "fluxbase_auth_attempts") == total(before, "fluxbase_auth_attempts") + 12
    assert total(after, "fluxbase_auth_failure") == 11
    assert total(after, "fluxbase_rate_limit_hits") == 2
    assert total(after, "fluxbase_auth_success") == 2


async def test_requests_are_counted_by_template_not_by_address(app, client):
    async def read(number: int):
        return number

    app.add_api_route("/things/{number}", read)
    for number in range(3):
        await client.get(f"/things/{number}")
    await client.get("/nowhere/at/all")
    await client.request("BREW", "/things/1")
    samples = (await scrape(client))["fluxbase_http_requests"]
    name = "fluxbase_http_requests_total"
    assert samples[name, ("method", "GET"), ("path", "/things/{number}"), ("status", "200")] == 3
    assert samples[name, ("method", "GET"), ("path", "(no route)"), ("status", "404")] == 1
    assert any(("method", "OTHER") in labels for labels in samples)


async def test_the_names_that_documents_and_alerts_use(client, ada):
    await client.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": PASSWORD})
    text = (await client.get("/metrics")).text
    for name in (
        "fluxbase_http_requests_total{",
        "fluxbase_http_request_duration_seconds_bucket{",
        "fluxbase_http_requests_in_flight ",
        "fluxbase_db_connections ",
        "fluxbase_db_connections_idle ",
        "fluxbase_db_connections_max ",
        "fluxbase_db_connections_waiting ",
        'fluxbase_auth_attempts_total{method="signin"} 1.0',
        'fluxbase_auth_success_total{method="signup"} 1.0',
        "fluxbase_system_uptime_seconds ",
    ):
        assert name in text, name


def test_two_applications_do_not_mix_their_numbers():
    one, other = Metrics(), Metrics()
    one.auth_attempts.labels("signin").inc()
    assert one.registry.get_sample_value("fluxbase_auth_attempts_total", {"method": "signin"}) == 1
    assert other.registry.get_sample_value("fluxbase_auth_attempts_total", {"method": "signin"}) is None


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
async def test_health_says_what_the_runbook_says(client, path):
    answer = await client.get(path)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["database"]) == ("ok", "connected")
    assert set(body) == {"status", "database", "version", "timestamp"}
    assert body["timestamp"].endswith("Z")


async def test_without_its_database_it_is_alive_and_not_well(client, resources):
    await resources.database.pool.close()
    for path in ("/health", "/health/ready"):
        answer = await client.get(path)
        assert answer.status_code == 503
        body = answer.json()
        assert (body["status"], body["database"]) == ("error", "disconnected")
        assert body["version"]
    assert (await client.get("/health/live")).json() == {"status": "ok"}


async def test_statements_and_transactions_are_counted_and_those_that_fail_too(client, resources):
    before = await scrape(client)
    async with resources.database.transaction(ANONYMOUS) as connection:
        await connection.fetchval("SELECT 1")
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with resources.database.transaction() as connection:
            await connection.execute("SELECT 1 / $1::int", 0)
    after = await scrape(client)

    def grown(family: str, *labels: tuple[str, str]) -> float:
        name = (f"{family}_total", *labels)
        return after[family][name] - before[family].get(name, 0)

    assert grown("fluxbase_db_requests", ("role", "anon")) == 1
    assert grown("fluxbase_db_requests", ("role", "service_role")) == 1
    assert grown("fluxbase_db_queries", ("outcome", "error")) == 1
    assert grown("fluxbase_db_queries", ("outcome", "ok")) >= 1

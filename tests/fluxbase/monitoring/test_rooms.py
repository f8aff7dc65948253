"""The runbook's questions to a running Fluxbase."""

import asyncio
import ipaddress
import re
from datetime import UTC, datetime, timedelta

import pytest

from fluxbase.auth.access_tokens import issue_for_role
from fluxbase.errors import ConfigurationError
from fluxbase.service_keys import Operator, ServiceKeys
from fluxbase.service_keys.repository import Wanted
from fluxbase.settings import Settings
from fluxbase.settings.reading import read_settings

from ..serving import client_for

HEALTH, NUMBERS = "/api/v1/monitoring/health", "/api/v1/monitoring/metrics"


async def settled(client, path=HEALTH):
    """The answer once everything that runs beside the routes has begun."""
    async with asyncio.timeout(10):
        while (answer := await client.get(path)).json()["status"] != "healthy":  # noqa: ASYNC110 -- asked as a monitor
            await asyncio.sleep(0.05)
    return answer


async def test_the_basic_check_has_the_runbooks_word(here):
    answer = await here.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "healthy")


async def test_each_room_says_how_it_is(here):
    body = (await settled(here)).json()
    assert {"database", "realtime", "storage", "jobs"} <= set(body["services"])
    for service in body["services"].values():
        assert service["status"] == "healthy"
        assert set(service) <= {"status", "message", "latency_ms"}
    assert body["services"]["database"]["latency_ms"] > 0


async def test_hearts_that_beat_seldom_by_the_settings_are_no_silence(here, whole, owner):
    await settled(here)
    await owner.execute("UPDATE jobs.workers SET last_heartbeat_at = now() - interval '2 minutes'")
    whole.state.settings = whole.state.settings.model_copy(update={"jobs_dead_after": timedelta(hours=1)})
    assert (await here.get(HEALTH)).json()["services"]["jobs"]["status"] == "healthy"


async def test_without_its_database_it_is_503_and_says_which_room(here, whole):
    await settled(here)
    await whole.state.resources.database.pool.close()
    answer = await here.get(HEALTH)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["status"] == answer.json()["services"]["database"]["status"] == "unhealthy"


async def test_the_numbers_that_the_runbook_asks_jq_for(here):
    await settled(here)
    body = (await here.get(NUMBERS)).json()
    assert {"connections", "channels", "subscriptions", "slow_clients"} <= set(body["realtime"])
    (worker,) = body["jobs"]["workers"]
    assert worker["status"] == "active"
    assert body["jobs"]["queue"]["pending"] == 0
    assert body["database"]["max_connections"] == 8
    assert body["database"]["acquired_connections"] + body["database"]["idle_connections"] <= 8
    assert {"buckets", "objects", "bytes"} <= set(body["storage"])
    assert body["memory"]["rss_bytes"] > 10_000_000
    assert body["uptime_seconds"] > 0


async def test_strangers_see_nothing_of_it_and_whoever_has_a_key_does(whole):
    resources = whole.state.resources
    made = {
        scope: (await ServiceKeys(resources, Operator("test")).create(Wanted("t", [scope]))).token
        for scope in ("monitoring:read", "tables:read")
    }
    now = datetime.now(UTC)
    tokens = {
        role: issue_for_role(resources.addresses.secret, role, now=now, lifetime=timedelta(minutes=1))
        for role in ("service_role", "anon")
    }
    async with client_for(whole, peer=("203.0.113.9", 1)) as stranger:
        for path in (HEALTH, NUMBERS):
            assert (await stranger.get(path)).status_code == 401
            assert (await stranger.get(path, headers={"apikey": tokens["anon"]})).status_code == 403
            assert (await stranger.get(path, headers={"X-Service-Key": made["tables:read"]})).status_code == 403
            for headers in ({"X-Service-Key": made["monitoring:read"]}, {"apikey": tokens["service_role"]}):
                assert (await stranger.get(path, headers=headers)).status_code in (200, 503)
        assert (await stranger.get("/health")).status_code == 200


@pytest.mark.parametrize("peer", ["10.0.0.5", "172.17.0.1", "192.168.1.9", "fd00::5"])
async def test_a_private_address_is_let_in_only_where_its_network_is_named(whole, peer):
    async with client_for(whole, peer=(peer, 1)) as neighbour:
        assert [(await neighbour.get(path)).status_code for path in (HEALTH, NUMBERS)] == [401, 401]
        network = ipaddress.ip_network(peer).supernet(8)
        whole.state.settings = whole.state.settings.model_copy(update={"monitoring_allow": (network,)})
        assert (await neighbour.get(NUMBERS)).status_code == 200


def test_networks_are_read_from_the_setting(monkeypatch):
    monkeypatch.setenv("FLUXBASE_MONITORING_ALLOW", "10.1.2.0/24, 192.168.7.5")
    assert [str(one) for one in Settings().monitoring_allow] == ["10.1.2.0/24", "192.168.7.5/32"]
    monkeypatch.setenv("FLUXBASE_MONITORING_ALLOW", "my-network")
    with pytest.raises(ConfigurationError, match="FLUXBASE_MONITORING_ALLOW"):
        read_settings(Settings)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
async def test_a_proxy_that_nobody_named_does_not_lend_its_address(whole, header):
    async with client_for(whole, peer=("127.0.0.1", 1)) as proxied:
        assert (await proxied.get(NUMBERS)).status_code == 200
        assert (await proxied.get(NUMBERS, headers={header: "203.0.113.9"})).status_code == 401


NAMES = [
    "http_requests_total",
    "http_request_duration_seconds",
    "http_requests_in_flight",
    "db_requests_total",
    "db_queries_total",
    "db_query_duration_seconds",
    "db_connections",
    "db_connections_idle",
    "db_connections_max",
    "db_connections_waiting",
    "realtime_connections",
    "realtime_channels",
    "realtime_subscriptions",
    "realtime_messages_total",
    "realtime_slow_clients_total",
    "storage_bytes_total",
    "storage_operations_total",
    "auth_attempts_total",
    "auth_success_total",
    "auth_failure_total",
    "rate_limit_hits_total",
    "jobs_pending",
    "jobs_processing",
    "jobs_completed_total",
    "jobs_failed_total",
    "job_execution_duration_seconds",
    "job_workers_active",
    "system_uptime_seconds",
]


async def test_every_metric_that_alerts_and_dashboards_name_is_there(here):
    families = set(re.findall(r"^# TYPE (\S+) ", (await here.get("/metrics")).text, re.MULTILINE))
    assert {f"fluxbase_{name}" for name in NAMES} - families == set()


async def test_those_of_storage_and_jobs_move(here, whole):
    now = datetime.now(UTC)
    secret = whole.state.resources.addresses.secret
    token = issue_for_role(secret, "service_role", now=now, lifetime=timedelta(minutes=5))
    headers = {"Authorization": f"Bearer {token}"}
    made = await here.post("/api/v1/storage/buckets", headers=headers, json={"id": "bkt"})
    assert made.status_code in (200, 201), made.text
    sent = await here.post(
        "/api/v1/storage/bkt/a.txt", headers=headers, files={"file": ("a.txt", b"hello", "text/plain")}
    )
    assert sent.status_code == 201, sent.text

    async def value(line: str) -> float:
        found = re.findall(rf"^{line}.* (\S+)$", (await here.get("/metrics")).text, re.MULTILINE)
        return sum(map(float, found))

    assert await value("fluxbase_storage_operations_total") >= 2
    assert await value("fluxbase_storage_bytes_total") >= 5
    async with asyncio.timeout(15):
        while await value("fluxbase_job_workers_active") != 1:  # noqa: ASYNC110 -- read every few seconds
            await asyncio.sleep(0.1)

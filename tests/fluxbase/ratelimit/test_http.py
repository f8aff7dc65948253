"""The limit on requests, as clients meet it."""

from datetime import UTC, datetime, timedelta

import pytest

from fluxbase.auth.access_tokens import issue_for_role

from ..serving import bearer, client_for, make_app


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"requests_per_second": 0.01, "request_burst": 3})


async def statuses(client, count=5, path="/api/v1/auth/user", **options) -> list[int]:
    return [(await client.get(path, **options)).status_code for _ in range(count)]


async def test_too_many_are_told_when_to_come_back(client):
    assert await statuses(client) == [401, 401, 401, 429, 429]
    answer = await client.get("/api/v1/auth/user")
    assert answer.json()["error"] == "rate_limit_exceeded"
    assert 1 <= int(answer.headers["retry-after"]) <= 100
    assert answer.headers["x-ratelimit-limit"] == "3"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert "fluxbase_rate_limit_hits_total" in (await client.get("/metrics")).text


async def test_what_passes_says_how_many_are_left(client):
    left = [(await client.get("/api/v1/auth/user")).headers["x-ratelimit-remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]


async def test_monitors_are_never_refused(client):
    await statuses(client)
    for path in ("/health", "/health/live", "/metrics"):
        assert set(await statuses(client, path=path)) == {200}


async def test_addresses_users_and_tokens_are_counted_apart(app, client, ada):
    await statuses(client, 10)
    assert await statuses(client, headers=bearer(ada)) == [200, 200, 200, 429, 429]
    now = datetime.now(UTC)
    secret = app.state.resources.addresses.secret
    service = issue_for_role(secret, "service_role", now=now, lifetime=timedelta(minutes=1))
    assert await statuses(client, headers=bearer({"access_token": service})) == [401, 401, 401, 429, 429]
    async with client_for(app, peer=("192.0.2.8", 1)) as other:
        assert await statuses(other) == [401, 401, 401, 429, 429]
    # The anonymous token of a page is every visitor's: they are told apart by their addresses.
    anonymous = bearer({"access_token": issue_for_role(secret, "anon", now=now, lifetime=timedelta(minutes=1))})
    async with client_for(app, peer=("192.0.2.9", 1)) as one, client_for(app, peer=("192.0.2.10", 1)) as another:
        assert await statuses(one, headers=anonymous) == [401, 401, 401, 429, 429]
        assert await statuses(another, headers=anonymous) == [401, 401, 401, 429, 429]


@pytest.mark.parametrize("carrier", ["Authorization", "X-Service-Key"])
async def test_made_up_credentials_do_not_make_buckets(client, carrier):
    answers = []
    for number in range(5):
        made_up = f"Bearer nonsense{number}" if carrier == "Authorization" else f"fb_aaaaaaaaa{number}_{'x' * 40}"
        answers += await statuses(client, 1, headers={carrier: made_up})
    assert answers == [401, 401, 401, 429, 429]


async def test_an_ipv6_customer_is_one_client_and_a_proxy_is_not(resources, settings):
    app = make_app(settings.model_copy(update={"trusted_proxies": ("10.0.0.1",)}), resources)
    async with client_for(app, peer=("10.0.0.1", 1)) as proxied:
        answers = []
        for number in range(5):
            answers += await statuses(proxied, 1, headers={"X-Forwarded-For": f"2001:db8:1:1::{number}"})
        assert answers == [401, 401, 401, 429, 429]
        assert await statuses(proxied, 1, headers={"X-Forwarded-For": "2001:db8:1:2::1"}) == [401]


async def test_a_service_key_has_a_bucket_of_its_own_once_it_is_proved(app, client, resources):
    from fluxbase.service_keys import Operator, ServiceKeys
    from fluxbase.service_keys.repository import Wanted

    issued = await ServiceKeys(resources, Operator("test")).create(Wanted("t", ["*"]))
    headers = {"X-Service-Key": issued.token}
    path = "/api/v1/admin/service-keys"
    assert await statuses(client, path=path, headers=headers) == [200, 200, 200, 200, 429]  # the first by address
    assert await statuses(client) == [401, 401, 429, 429, 429]

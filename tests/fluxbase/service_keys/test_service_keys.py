"""Service keys by HTTP: what an operator does with them, and what they then may."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest
import structlog
from fastapi import FastAPI
from starlette.requests import Request

from fluxbase.auth.callers import caller_of
from fluxbase.service_keys.scopes import SCOPES

from ..serving import bearer

KEYS = "/api/v1/admin/service-keys"
HOUR = '{"grace_period_hours": 1}'
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def app(app: FastAPI) -> FastAPI:
    """With a route that tells who asks."""

    async def whoami(request: Request) -> dict:
        caller = await caller_of(request)
        return {"role": caller.claims.role, "key": caller.key_prefix, "scopes": sorted(caller.scopes or ())}

    app.add_api_route("/api/v1/whoami", whoami)
    return app


async def made(client: httpx.AsyncClient, operator: dict, **fields) -> dict:
    answer = await client.post(KEYS, headers=operator, json={"name": "CI", "scopes": ["tables:read"]} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def works(client: httpx.AsyncClient, key: str) -> int:
    return (await client.get("/api/v1/whoami", headers={"X-Service-Key": key})).status_code


async def test_a_key_is_shown_once_and_stored_as_a_digest(client, operator, owner: asyncpg.Connection):
    key = await made(client, operator, scopes=["tables:write", "tables:read", "tables:read"])

    assert key["key"].startswith(key["key_prefix"] + "_")
    assert key["scopes"] == ["tables:read", "tables:write"]
    listed = (await client.get(KEYS, headers=operator)).json()
    one = (await client.get(f"{KEYS}/{key['id']}", headers=operator)).json()
    assert listed == [one] == [{name: value for name, value in key.items() if name != "key"}]
    stored = await owner.fetchval("SELECT row_to_json(k)::text FROM auth.service_keys k")
    assert key["key"].rpartition("_")[2] not in stored


@pytest.mark.parametrize("carrier", ["X-Service-Key", "Authorization: ServiceKey", "Bearer", "apikey", "X-Client-Key"])
async def test_every_carrier_carries_it(client, operator, carrier):
    key = await made(client, operator)
    token = key["key"]
    headers = {
        "Authorization: ServiceKey": {"Authorization": f"ServiceKey {token}"},
        "Bearer": {"Authorization": f"Bearer {token}"},
    }.get(carrier, {carrier: token})

    answer = await client.get("/api/v1/whoami", headers=headers)

    assert answer.json() == {"role": "service_role", "key": key["key_prefix"], "scopes": ["tables:read"]}


async def test_a_service_key_goes_before_a_bearer_token_and_that_before_a_clients_key(client, operator, ada):
    key = await made(client, operator)
    both = {"X-Service-Key": key["key"], **bearer(ada), "apikey": "nonsense"}

    assert (await client.get("/api/v1/whoami", headers=both)).json()["role"] == "service_role"
    del both["X-Service-Key"]
    assert (await client.get("/api/v1/whoami", headers=both)).json()["role"] == "authenticated"


@pytest.mark.parametrize("wrong", ["", "nonsense", "fb_aaaaaaaaaa_" + "b" * 40, "fb_" + "é" * 20])
async def test_a_wrong_key_is_refused_and_never_anonymous(client, operator, wrong):
    await made(client, operator)
    answer = await client.get("/api/v1/whoami", headers={"X-Service-Key": wrong.encode()})

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_service_key"


async def test_the_prefix_alone_proves_nothing(client, operator):
    key = await made(client, operator)
    forged = key["key"][:-1] + ("a" if key["key"][-1] != "a" else "b")
    await client.post(f"{KEYS}/{key['id']}/revoke", headers=operator)

    answer = await client.get("/api/v1/whoami", headers={"X-Service-Key": forged})

    assert answer.json()["error"] == "invalid_service_key", "not that it was revoked"


async def test_revoking_as_the_runbook_does_it_holds_at_once(client, operator):
    key = await made(client, operator)
    assert await works(client, key["key"]) == 200

    reason = "Security incident - suspected compromise"
    body = json.dumps({"reason": reason})  # curl's -d calls it a form
    answer = await client.post(f"{KEYS}/{key['id']}/revoke", headers=operator | FORM, content=body)

    assert answer.status_code == 200
    assert answer.json()["revoked_at"]
    refused = await client.get("/api/v1/whoami", headers={"X-Service-Key": key["key"]})
    assert (refused.status_code, refused.json()["error"]) == (401, "service_key_revoked")
    (revocation,) = (await client.get(f"{KEYS}/{key['id']}/revocations", headers=operator)).json()
    assert (revocation["kind"], revocation["reason"]) == ("revoked", reason)
    again = await client.post(f"{KEYS}/{key['id']}/revoke", headers=operator)
    assert again.json() == answer.json()
    for action in ("enable", "rotate", "deprecate"):
        assert (await client.post(f"{KEYS}/{key['id']}/{action}", headers=operator)).status_code == 409


async def test_an_operators_sql_holds_at_once(client, operator, owner):
    key = await made(client, operator)
    assert await works(client, key["key"]) == 200
    await owner.execute("UPDATE auth.service_keys SET revoked_at = now()")
    assert await works(client, key["key"]) == 401


async def test_a_rotated_key_works_until_its_grace_period_is_over_and_not_a_second_longer(
    client, operator, app, resources
):
    old = await made(client, operator, rate_limit_per_hour=500)
    answer = await client.post(
        f"{KEYS}/{old['id']}/rotate", headers=operator | FORM, content='{"grace_period_hours": 1}'
    )
    new = answer.json()

    assert answer.status_code == 201
    assert new["replaces"]["replaced_by"] == new["id"]
    assert (new["scopes"], new["rate_limit_per_hour"]) == (old["scopes"], 500)
    assert [await works(client, old["key"]), await works(client, new["key"])] == [200, 200]
    end = datetime.fromisoformat(new["replaces"]["grace_period_ends_at"])
    for moment, status in ((end - timedelta(seconds=1), 200), (end, 401)):
        app.state.resources = replace(resources, now=lambda moment=moment: moment)
        assert await works(client, old["key"]) == status
    assert await works(client, new["key"]) == 200


async def test_no_grace_at_all(client, operator):
    old = await made(client, operator)
    await client.post(f"{KEYS}/{old['id']}/rotate", headers=operator, json={"grace_period_hours": 0})
    assert await works(client, old["key"]) == 401


async def test_rotating_again_does_not_revive_what_has_ended_or_was_replaced(client, operator):
    dead, replaced = [await made(client, operator) for _ in range(2)]
    await client.post(f"{KEYS}/{dead['id']}/rotate", headers=operator, json={"grace_period_hours": 0})
    await client.post(f"{KEYS}/{replaced['id']}/rotate", headers=operator)

    for key, code in ((dead, "key_ended"), (replaced, "key_replaced")):
        answer = await client.post(f"{KEYS}/{key['id']}/rotate", headers=operator)
        assert (answer.status_code, answer.json()["error"]) == (409, code)
    assert (await client.post(f"{KEYS}/{dead['id']}/deprecate", headers=operator)).status_code == 200
    assert [await works(client, dead["key"]), await works(client, replaced["key"])] == [401, 200]


async def test_a_grace_period_can_be_cut_short_and_never_drawn_out(client, operator):
    key = await made(client, operator)
    ends = []
    for hours in (2, 1, 48):
        body = {"grace_period_hours": hours}
        answer = await client.post(f"{KEYS}/{key['id']}/deprecate", headers=operator, json=body)
        ends.append(answer.json()["grace_period_ends_at"])

    assert ends[1] < ends[0]
    assert ends[2] == ends[1]
    trail = (await client.get(f"{KEYS}/{key['id']}/revocations", headers=operator)).json()
    assert trail[0]["grace_period_ends_at"] == ends[1], "the trail says when it really ends"


async def test_deprecate_disable_enable_delete(client, operator):
    key = await made(client, operator)
    url = f"{KEYS}/{key['id']}"

    deprecated = (await client.post(f"{url}/deprecate", headers=operator, json={"reason": "moving"})).json()
    assert deprecated["grace_period_ends_at"] > deprecated["deprecated_at"]
    assert await works(client, key["key"]) == 200
    await client.post(f"{url}/disable", headers=operator)
    assert await works(client, key["key"]) == 401
    await client.post(f"{url}/enable", headers=operator)
    assert await works(client, key["key"]) == 200
    assert (await client.delete(url, headers=operator)).status_code == 204
    assert await works(client, key["key"]) == 401
    assert (await client.get(url, headers=operator)).status_code == 404


async def test_change(client, operator):
    key = await made(client, operator, rate_limit_per_minute=5)
    url = f"{KEYS}/{key['id']}"
    changed = await client.patch(
        url, headers=operator, json={"name": "CD", "scopes": ["*"], "rate_limit_per_minute": None}
    )

    assert changed.status_code == 200
    assert {name: changed.json()[name] for name in ("name", "scopes", "rate_limit_per_minute")} == {
        "name": "CD",
        "scopes": ["*"],
        "rate_limit_per_minute": None,
    }


async def test_an_expired_key_is_refused(client, operator, app, resources):
    ends = datetime.now(UTC) + timedelta(days=1)
    key = await made(client, operator, expires_at=ends.isoformat())
    assert await works(client, key["key"]) == 200
    app.state.resources = replace(resources, now=lambda: ends)
    assert await works(client, key["key"]) == 401


async def test_never_is_a_time_too(client, operator, owner):
    """`infinity`, which an operator writes, and the calendar's last moment, which PostgreSQL is told as that."""
    last = await made(client, operator, expires_at="9999-12-31T23:59:59.999999Z")
    assert await works(client, last["key"]) == 200
    key = await made(client, operator)
    await owner.execute("UPDATE auth.service_keys SET expires_at = 'infinity', grace_period_ends_at = 'infinity'")
    assert await works(client, key["key"]) == 200
    assert (await client.post(f"{KEYS}/{key['id']}/rotate", headers=operator)).status_code == 201
    await owner.execute("UPDATE auth.service_keys SET expires_at = '-infinity'")
    assert await works(client, key["key"]) == 401


async def test_the_rates_of_a_key_are_its_own(client, operator):
    slow, other = await made(client, operator, rate_limit_per_minute=2), await made(client, operator)
    hourly = await made(client, operator, rate_limit_per_hour=3)

    assert [await works(client, slow["key"]) for _ in range(3)] == [200, 200, 429]
    assert [await works(client, hourly["key"]) for _ in range(4)] == [200, 200, 200, 429]
    assert [await works(client, other["key"]) for _ in range(4)] == [200] * 4


async def test_last_use_is_written_once_a_minute(client, operator, app, resources, owner):
    key = await made(client, operator)
    start, used = datetime.now(UTC), []
    for seconds in (0, 30, 59, 60):
        app.state.resources = replace(resources, now=lambda seconds=seconds: start + timedelta(seconds=seconds))
        await works(client, key["key"])
        used.append((await owner.fetchval("SELECT last_used_at FROM auth.service_keys") - start).total_seconds())
    assert used == [0, 0, 0, 60]


async def test_who_is_not_the_operator_may_do_nothing(client, operator, ada):
    key = await made(client, operator, scopes=[scope for scope in SCOPES if scope != "*"])
    for headers, status in (({}, 401), (bearer(ada), 403), ({"X-Service-Key": key["key"]}, 403)):
        assert (await client.get(KEYS, headers=headers)).status_code == status
        assert (await client.post(f"{KEYS}/{key['id']}/rotate", headers=headers)).status_code == status
    everything = await made(client, operator, scopes=["*"])
    assert (await client.get(KEYS, headers={"Authorization": f"Bearer {everything['key']}"})).status_code == 200


async def test_a_person_is_never_the_operator_whatever_their_metadata_say(client, operator, ada, owner):
    await owner.execute("""UPDATE auth.users SET app_metadata = '{"role": "service_role", "roles": ["admin"]}'""")
    answer = await client.post(
        "/api/v1/auth/signin", json={"email": "ada@example.com", "password": "correct horse battery"}
    )
    client.cookies.clear()
    assert (await client.get(KEYS, headers=bearer(answer.json()))).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("not json", 400),
        ("[]", 422),
        ('"x"', 422),
        ('{"name": "x"}', 422),
        ('{"name": "x", "scopes": []}', 422),
        ('{"name": "x", "scopes": ["tables:drop"]}', 400),
        ('{"name": "", "scopes": ["*"]}', 422),
        ('{"name": "a\\u0000b", "scopes": ["*"]}', 422),
        ('{"name": "x", "scopes": ["*"], "rate_limit_per_minute": 0}', 422),
        ('{"name": "x", "scopes": ["*"], "expires_at": "2001-01-01T00:00:00Z"}', 400),
        ('{"name": "x", "scopes": ["*"], "expires_at": "2101-01-01T00:00:00"}', 422),
        ('{"name": "x", "scopes": ["*"], "colour": 1}', 422),
        (b"\xff\xfe", 400),
    ],
)
async def test_what_is_wrong_is_said(client, operator, body, status):
    answer = await client.post(KEYS, headers=operator, content=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["message"]
    assert "Content-Type" not in answer.json()["message"], "here it need not be said"


async def test_everything_is_in_the_audit_trail_and_no_secret(client, operator, owner):
    key = await made(client, operator)
    url = f"{KEYS}/{key['id']}"
    for action in ("disable", "enable", "rotate", "revoke"):
        await client.post(f"{url}/{action}", headers=operator)
    await client.delete(url, headers=operator)

    rows = await owner.fetch("SELECT action, metadata::text AS told, ip FROM auth.audit_log_entries ORDER BY id")

    assert [row["action"].removeprefix("service_key.") for row in rows] == [
        "created", "disabled", "enabled", "rotated", "revoked", "deleted",
    ]  # fmt: skip
    assert all(key["key_prefix"] in row["told"] and row["ip"] is not None for row in rows)
    assert not any(key["key"] in row["told"] for row in rows)


async def test_the_access_log_names_header_and_prefix_and_never_the_key(client, operator, capsys):
    key = await made(client, operator)
    with structlog.testing.capture_logs() as lines:
        await works(client, key["key"])
    (line,) = [line for line in lines if line["event"] == "request"]

    assert line["credential"] == f"X-Service-Key {key['key_prefix']}"
    assert key["key"] not in str(lines)


async def test_whoever_listens_hears_of_a_change(client, operator, owner):
    heard: list[str] = []
    key = await made(client, operator)
    await owner.add_listener("fluxbase_service_keys", lambda _c, _pid, _channel, payload: heard.append(payload))
    await works(client, key["key"])  # its use is no change
    await client.post(f"{KEYS}/{key['id']}/revoke", headers=operator)
    await owner.execute("SELECT 1")
    assert heard == [key["id"]]


async def test_the_tables_are_closed_to_all_but_the_service(resources, client, operator):
    from fluxbase.db import ANONYMOUS, Claims

    await made(client, operator)
    for claims in (ANONYMOUS, Claims("authenticated", sub="00000000-0000-0000-0000-000000000001")):
        for table in ("service_keys", "service_key_revocations"):
            async with resources.database.transaction(claims) as connection:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetch(f"SELECT * FROM auth.{table}")

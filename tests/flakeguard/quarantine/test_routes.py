"""Decisions over HTTP: what members may, what keys may, and what strangers find."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from fluxbase.resources import Resources

from ..conftest import Tenant
from ..uploads import data, error_code
from .conftest import reviewed


@pytest.fixture
def base(tenant: Tenant) -> str:
    return f"/api/v1/projects/{tenant.project.id}"


async def become(resources: Resources, tenant: Tenant, role: str) -> None:
    async with resources.database.transaction() as connection:
        await connection.execute("UPDATE memberships SET role = $2 WHERE user_id = $1", tenant.user.id, role)


async def test_a_test_is_quarantined_and_ended_by_a_member(
    client: httpx.AsyncClient, tenant: Tenant, tests: Mapping[str, int], base: str, resources: Resources
) -> None:
    await become(resources, tenant, "MEMBER")
    path = f"{base}/flakes/{tests['adds']}/quarantine"
    made = data(await client.post(path, json={"reason": " waits for SHOP-12 "}, headers=tenant.as_user), 200)
    assert (made["state"], made["rationale"], made["decider"]) == ("ACTIVE", "waits for SHOP-12", "ada@example.com")
    again = data(await client.post(path, json={"reason": "another"}, headers=tenant.as_user), 200)
    assert again == made
    listed = data(await client.get(f"{base}/quarantine", headers=tenant.as_key), 200)
    assert [(one["name"], one["state"], one["verdict"]) for one in listed["decisions"]] == [("adds", "ACTIVE", "flaky")]
    assert listed["decisions"][0]["last_failed_at"] is not None
    explained = data(await client.get(f"{base}/explanation?branch=main", headers=tenant.as_key), 200)
    until = {failure["name"]: failure["quarantined_until"] for failure in explained["failures"]}
    assert until == {"adds": made["until"], "breaks": None}
    ended = data(await client.delete(path, headers=tenant.as_user), 200)
    assert (ended["state"], ended["ender"], ended["until"]) == ("RESOLVED", "ada@example.com", made["until"])
    assert error_code(await client.delete(path, headers=tenant.as_user), 409) == "no_open_decision"
    assert data(await client.get(f"{base}/quarantine", headers=tenant.as_user), 200)["total"] == 0
    history = data(await client.get(path, headers=tenant.as_key), 200)["decisions"]
    assert [one["state"] for one in history] == ["RESOLVED"]
    async with resources.database.transaction() as connection:
        told: list[Any] = await connection.fetch(
            "SELECT action, actor_email FROM audit_events WHERE action LIKE 'quarantine.%' ORDER BY id"
        )
    assert [tuple(one) for one in told] == [
        ("quarantine.activated", "ada@example.com"), ("quarantine.ended", "ada@example.com"),
    ]  # fmt: skip


async def test_what_is_proposed_is_decided_or_dismissed(
    client: httpx.AsyncClient, tenant: Tenant, tests: Mapping[str, int], base: str, resources: Resources
) -> None:
    path = f"{base}/flakes/{tests['adds']}/quarantine"
    assert error_code(await client.post(f"{path}/dismiss", headers=tenant.as_user), 409) == "no_open_decision"
    await reviewed(resources, tenant, tests)
    made = data(await client.post(path, headers=tenant.as_user), 200)
    assert made["state"] == "ACTIVE"
    assert made["proposed_at"] is not None
    assert made["rationale"].startswith("Proven flaky: 3 of 6 runs failed within 7 days, score ")
    await client.delete(path, headers=tenant.as_user)
    await reviewed(resources, tenant, tests)
    dismissed = data(await client.post(f"{path}/dismiss", headers=tenant.as_user), 200)
    assert (dismissed["state"], dismissed["decider"]) == ("DISMISSED", "ada@example.com")
    assert (await reviewed(resources, tenant, tests, days=29)).proposed == 0
    ended = data(await client.get(f"{base}/quarantine?state=ended&limit=1", headers=tenant.as_user), 200)
    assert (ended["total"], ended["decisions"][0]["state"]) == (2, "DISMISSED")


async def test_what_is_broken_or_stable_is_not_quarantined_nor_anything_for_a_book(
    client: httpx.AsyncClient, tenant: Tenant, tests: Mapping[str, int], base: str
) -> None:
    for name in ("breaks", "pays"):
        path = f"{base}/flakes/{tests[name]}/quarantine"
        assert error_code(await client.post(path, json={}, headers=tenant.as_user), 409) == "not_a_flake"
    for reason in ("x" * 501, "a\0b"):
        path = f"{base}/flakes/{tests['adds']}/quarantine"
        answer = await client.post(path, json={"reason": reason}, headers=tenant.as_user)
        assert error_code(answer, 400) == "invalid_reason"


async def test_readers_keys_and_strangers_decide_nothing(
    client: httpx.AsyncClient, tenant: Tenant, stranger: Tenant, tests: Mapping[str, int], base: str,
    resources: Resources,
) -> None:  # fmt: skip
    path = f"{base}/flakes/{tests['adds']}/quarantine"
    theirs = f"/api/v1/projects/{stranger.project.id}/flakes/{tests['adds']}/quarantine"
    await become(resources, tenant, "VIEWER")
    refused = [(tenant.as_user, path, 403), (tenant.as_key, path, 401), (stranger.as_user, path, 404),
               (stranger.as_user, theirs, 404), ({}, path, 401)]  # fmt: skip
    for headers, address, status in refused:
        for method, end, body in (("POST", "", {}), ("POST", "/dismiss", None), ("DELETE", "", None)):
            answer = await client.request(method, address + end, json=body, headers=headers)
            assert answer.status_code == status, f"{method} {end} {status}: {answer.text}"
    assert data(await client.get(f"{base}/quarantine", headers=tenant.as_user), 200)["total"] == 0
    for headers in (stranger.as_user, stranger.as_key):
        assert (await client.get(path, headers=headers)).status_code == 404
        assert (await client.get(f"{base}/quarantine", headers=headers)).status_code == 404

"""API keys: shown once, found at once, refused at once."""

from datetime import timedelta

import pytest

from flakeguard.projects import keys
from flakeguard.projects.api_keys import authenticate_key
from flakeguard.projects.errors import ExpiredApiKeyError, InsufficientScopeError, InvalidApiKeyError
from fluxbase.resources import utc_now

from .serving import client_for, data, refusal


@pytest.fixture
async def acme(tenant):
    return await tenant("acme")


@pytest.fixture
def path(acme) -> str:
    return f"/projects/{acme.project.id}/api-keys"


async def make(acme, path, **body) -> dict:
    return data(await acme.owner.post(path, {"name": "CI", **body}), 201)


async def test_a_key_is_shown_once_and_stored_as_a_digest(acme, path, owner):
    made = await make(acme, path)
    assert keys.prefix_of(made["token"]) == made["prefix"]
    assert made["scopes"] == ["ingest:write", "results:read"]
    assert (made["expires_at"], made["last_used_at"], made["created_by"]) == (None, None, str(acme.owner.user.id))
    listed = data(await acme.admin.get(path))
    assert listed == [{name: value for name, value in made.items() if name != "token"}]
    secret = made["token"].rpartition("_")[2]
    assert secret not in str(dict(await owner.fetchrow("SELECT * FROM api_keys")))


async def test_a_key_lets_its_project_in(acme, path, resources, owner):
    made = await make(acme, path, scopes=["ingest:write"])
    for header in (f"Bearer {made['token']}", f"bearer  {made['token']} "):
        key = await authenticate_key(resources.database, header)
        assert (key.project_id, key.organization_id, key.prefix) == (acme.project.id, acme.id, made["prefix"])
        assert (key.project_slug, key.default_branch, key.project.name) == ("shop", "main", "Shop")
    key.require("ingest:write")
    with pytest.raises(InsufficientScopeError):
        key.require("results:read")
    used = await owner.fetchval("SELECT last_used_at FROM api_keys")
    await authenticate_key(resources.database, f"Bearer {made['token']}")
    assert await owner.fetchval("SELECT last_used_at FROM api_keys") == used  # once a minute is often enough
    await owner.execute("UPDATE api_keys SET last_used_at = $1", utc_now() - timedelta(seconds=61))
    await authenticate_key(resources.database, f"Bearer {made['token']}")
    assert await owner.fetchval("SELECT last_used_at FROM api_keys") >= used


async def test_what_is_no_key_is_refused(acme, path, resources):
    token = (await make(acme, path))["token"]
    prefix, secret = token.rsplit("_", 1)
    for header in (
        None,
        "",
        "Bearer",
        "Bearer ",
        token,
        f"Basic {token}",
        f"Bearer {token}x",
        f"Bearer {prefix}_{secret[:-1]}{'a' if secret[-1] != 'a' else 'b'}",
        f"Bearer fg_aaaaaaaaaa_{secret}",
        f"Bearer {token.upper()}",
        "Bearer " + "\u00e9" * 54,
    ):
        with pytest.raises(InvalidApiKeyError):
            await authenticate_key(resources.database, header)


async def test_a_revoked_key_is_refused_at_once_and_for_ever(acme, path, resources):
    made = await make(acme, path)
    bearer = f"Bearer {made['token']}"
    await authenticate_key(resources.database, bearer)
    revoked = data(await acme.admin.ask("DELETE", f"{path}/{made['id']}"))
    assert revoked["revoked_at"] is not None
    with pytest.raises(InvalidApiKeyError):
        await authenticate_key(resources.database, bearer)
    again = data(await acme.admin.ask("DELETE", f"{path}/{made['id']}"))
    assert again["revoked_at"] == revoked["revoked_at"]
    assert refusal(await acme.admin.post(f"{path}/{made['id']}/rotate")) == (409, "key_revoked")


async def test_an_expired_key_says_so(acme, path, resources, owner):
    made = await make(acme, path, expires_in_days=90)
    assert made["expires_at"][:10] == (utc_now() + timedelta(days=90)).date().isoformat()
    await authenticate_key(resources.database, f"Bearer {made['token']}")
    await owner.execute("UPDATE api_keys SET expires_at = now() - interval '1 second'")
    with pytest.raises(ExpiredApiKeyError):
        await authenticate_key(resources.database, f"Bearer {made['token']}")
    # Who does not have the key does not learn that it has expired.
    with pytest.raises(InvalidApiKeyError):
        await authenticate_key(resources.database, f"Bearer {made['token'][:-4]}aaaa")


async def test_rotation_replaces_at_once_or_after_a_grace(acme, path, resources):
    old = await make(acme, path, scopes=["ingest:write"], expires_in_days=30)
    new = data(await acme.admin.post(f"{path}/{old['id']}/rotate"), 201)
    assert (new["name"], new["scopes"]) == ("CI", ["ingest:write"])
    assert new["token"] != old["token"]
    assert new["expires_at"] >= old["expires_at"]
    with pytest.raises(InvalidApiKeyError):
        await authenticate_key(resources.database, f"Bearer {old['token']}")
    newest = data(await acme.admin.post(f"{path}/{new['id']}/rotate", {"grace_hours": 24}), 201)
    for token in (new["token"], newest["token"]):
        await authenticate_key(resources.database, f"Bearer {token}")
    listed = {key["id"]: key for key in data(await acme.admin.get(path))}
    assert listed[new["id"]]["expires_at"][:13] == (utc_now() + timedelta(hours=24)).isoformat()[:13]
    for hours in (-1, 169):
        answer = await acme.admin.post(f"{path}/{newest['id']}/rotate", {"grace_hours": hours})
        assert refusal(answer) == (400, "invalid_expiry")


async def test_a_grace_never_lengthens_a_life(acme, path, owner):
    old = await make(acme, path)
    await owner.execute("UPDATE api_keys SET expires_at = now() + interval '1 hour'")
    before = await owner.fetchval("SELECT expires_at FROM api_keys")
    await acme.admin.post(f"{path}/{old['id']}/rotate", {"grace_hours": 24})
    assert await owner.fetchval("SELECT expires_at FROM api_keys WHERE id = $1", old["id"]) == before


async def test_scopes_and_lifetimes_that_there_are_not(acme, path):
    for body in ({"scopes": []}, {"scopes": ["*"]}, {"scopes": ["ingest:write", "admin"]}):
        assert refusal(await acme.owner.post(path, {"name": "CI", **body})) == (400, "invalid_scope"), body
    for days in (0, -1, 3651):
        answer = await acme.owner.post(path, {"name": "CI", "expires_in_days": days})
        assert refusal(answer) == (400, "invalid_expiry")
    assert refusal(await acme.owner.post(path, {"name": ""})) == (400, "invalid_name")


async def test_a_key_reads_its_own_project_and_nothing_else(acme, path, tenant, app, resources):
    other = await tenant("other")
    reader, writer = await make(acme, path), await make(acme, path, scopes=["ingest:write"])

    async def get(token: str, where: str):
        async with client_for(app, headers={"Authorization": f"Bearer {token}"}) as client:
            return await client.get(f"/api/v1{where}")

    own = f"/projects/{acme.project.id}"
    assert data(await get(reader["token"], own))["slug"] == "shop"
    assert refusal(await get(writer["token"], own)) == (403, "insufficient_scope")
    assert refusal(await get(reader["token"], f"/projects/{other.project.id}")) == (404, "not_found")
    assert refusal(await get(reader["token"] + "x", own)) == (401, "invalid_api_key")
    for closed in ("/orgs", "/orgs/acme", "/orgs/acme/members", "/projects", path):
        assert refusal(await get(reader["token"], closed)) == (401, "invalid_token"), closed

    key = await authenticate_key(resources.database, f"Bearer {reader['token']}")
    async with resources.database.transaction(key.claims) as connection:
        assert await connection.fetchval("SELECT array_agg(id) FROM projects") == [acme.project.id]
        for table in ("organizations", "memberships", "api_keys", "invites", "audit_events"):
            columns = "id" if table != "memberships" else "user_id"
            assert await connection.fetch(f"SELECT {columns} FROM {table}") == [], table

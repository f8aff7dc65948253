"""The `fluxbase` command, against the test's own servers."""

import asyncio
import json

import httpx
import jwt
import pytest
from typer.testing import CliRunner

from fluxbase.cli.commands import app
from fluxbase.monitoring import configure_logging


@pytest.fixture
def run(addresses, settings, monkeypatch, tmp_path):
    """Run a command; its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "FLUXBASE_DATABASE_URL": addresses.owner_dsn,
        "FLUXBASE_REDIS_URL": addresses.redis_url,
        "FLUXBASE_AUTH_JWT_SECRET": addresses.secret,
        "FLAKEGUARD_HOME": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)

    async def call(*arguments: str, stdin: str | None = None, code: int = 0):
        result = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), input=stdin)
        configure_logging()
        assert result.exit_code == code, result.output
        return result

    return call


async def test_a_key_from_its_making_to_its_end(run, client: httpx.AsyncClient):
    made = await run("keys", "create", "CI", "--scope", "*", "--expires", "24h", "--per-minute", "100")
    token = made.stdout.strip()
    url, headers = "/api/v1/admin/service-keys", {"Authorization": f"Bearer {token}"}
    assert (await client.get(url, headers=headers)).status_code == 200
    (listed,) = json.loads((await run("keys", "list", "--json")).stdout)
    assert token.startswith(listed["key_prefix"])
    assert listed["key_prefix"] in (await run("keys", "list")).stdout

    rotated = json.loads((await run("keys", "rotate", listed["id"], "--grace", "1", "--json")).stdout)
    assert (await client.get(url, headers=headers)).status_code == 200
    await run("keys", "disable", listed["id"])
    assert (await client.get(url, headers=headers)).status_code == 401
    await run("keys", "enable", listed["id"])
    await run("keys", "deprecate", listed["id"], "--grace", "0")
    assert (await client.get(url, headers=headers)).status_code == 401
    refused = await run("keys", "revoke", rotated["id"], code=2)
    assert "--yes" in refused.stderr, "nobody is there to answer"
    await run("keys", "revoke", rotated["id"], "--yes", "--reason", "test")
    assert "revoked" in (await run("keys", "list")).stdout
    assert "final" in (await run("keys", "enable", rotated["id"], code=4)).stderr


async def test_keys_that_cannot_be(run):
    assert "There is no scope" in (await run("keys", "create", "x", "--scope", "tables:drop", code=2)).stderr
    for expires in ("soon", "99999999h", "999999999999999d"):
        await run("keys", "create", "x", "--scope", "*", "--expires", expires, code=2)
    for name in ("", "x" * 101, "two\nlines", "half a \udcff character"):
        assert "1 to 100 characters" in (await run("keys", "create", name, "--scope", "*", code=2)).stderr
    await run("keys", "create", "x", "--scope", "*", "--per-minute", "99999999999", code=2)
    made = json.loads((await run("keys", "create", "x", "--scope", "*", "--json")).stdout)
    refused = await run("keys", "revoke", made["id"], "--yes", "--reason", "x" * 1001, code=2)
    assert "does not take a value" in refused.stderr
    assert "Failing row" not in refused.stderr
    await run("keys", "enable", "00000000-0000-0000-0000-000000000001", code=3)


async def test_accounts(run, client: httpx.AsyncClient):
    created = await run("users", "create", "eve@example.com", stdin="correct horse battery\n")
    body = {"email": "eve@example.com", "password": "correct horse battery"}
    session = (await client.post("/api/v1/auth/signin", json=body)).json()
    (listed,) = json.loads((await run("users", "list", "--json")).stdout)
    assert (listed["id"], listed["email"], listed["sessions"]) == (created.stdout.strip(), body["email"], 1)

    await run("users", "set-password", "EVE@example.com", stdin="another horse battery\n")
    client.cookies.clear()
    headers = {"Authorization": f"Bearer {session['access_token']}"}
    assert (await client.get("/api/v1/auth/user", headers=headers)).status_code == 401
    assert (await client.post("/api/v1/auth/signin", json=body)).status_code == 401
    body["password"] = "another horse battery"
    assert (await client.post("/api/v1/auth/signin", json=body)).status_code == 200

    await run("users", "create", "eve@example.com", stdin="correct horse battery\n", code=4)
    await run("users", "create", "mallory@example.com", stdin="short\n", code=2)
    ben = await run("users", "create", "ben@example.com", "--json", stdin="correct horse battery\n")
    assert json.loads(ben.stdout)["email"] == "ben@example.com"
    await run("users", "delete", json.loads(ben.stdout)["id"], "--yes")
    await run("users", "delete", "eve@example.com", code=2)
    await run("users", "delete", "eve@example.com", "--yes")
    await run("users", "delete", "eve@example.com", "--yes", code=3)
    assert "no accounts" in (await run("users", "list")).stderr


async def test_a_new_password_lifts_a_lock(run, client: httpx.AsyncClient, owner):
    await run("users", "create", "eve@example.com", stdin="correct horse battery\n")
    await owner.execute(
        "INSERT INTO auth.lockouts (email, failures, last_failed_at, locked_until)"
        " VALUES ('eve@example.com', 10, now(), now() + interval '15 minutes')"
    )
    right = {"email": "eve@example.com", "password": "another horse battery"}
    assert (await client.post("/api/v1/auth/signin", json=right)).json()["error"] == "account_locked"
    await run("users", "set-password", "eve@example.com", stdin="another horse battery\n")
    assert (await client.post("/api/v1/auth/signin", json=right)).status_code == 200


async def test_an_organisation_of_flakeguard_keeps_its_member(run, owner):
    user = (await run("users", "create", "eve@example.com", stdin="correct horse battery\n")).stdout.strip()
    organization = await owner.fetchval("INSERT INTO organizations (name, slug) VALUES ('Eve', 'eve') RETURNING id")
    await owner.execute(
        "INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2::text::uuid, 'OWNER')",
        organization, user,
    )  # fmt: skip
    refused = await run("users", "delete", "eve@example.com", "--yes", code=4)
    assert "member of an organisation" in refused.stderr
    await owner.execute("DELETE FROM memberships")
    await run("users", "delete", "eve@example.com", "--yes")


async def test_a_token_of_the_operator(run, client: httpx.AsyncClient, addresses):
    token = (await run("token", "--role", "service_role", "--expires", "15m")).stdout.strip()
    claims = jwt.decode(token, addresses.secret, ["HS256"], audience="authenticated")
    assert claims["exp"] - claims["iat"] == 900
    headers = {"Authorization": f"Bearer {token}"}
    assert (await client.get("/api/v1/admin/service-keys", headers=headers)).status_code == 200
    await run("token", "--role", "postgres", code=2)
    for expires in ("later", "99999999h"):
        await run("token", "--role", "anon", "--expires", expires, code=2)


async def test_status_and_migrate(run, owner, monkeypatch):
    assert "newest schema" in (await run("migrate")).stdout
    assert json.loads((await run("status", "--json")).stdout)["missing_migration"] is None
    monkeypatch.setenv("FLUXBASE_REDIS_URL", "redis://127.0.0.1:1/0")
    assert "unreachable" in (await run("status", code=1)).stdout
    monkeypatch.setenv("FLUXBASE_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    assert "does it run" in (await run("status", code=5)).stderr


async def test_the_owners_address(run, addresses, monkeypatch):
    assert (await run("url")).stdout == f"{addresses.owner_dsn}\n"
    assert json.loads((await run("url", "--json")).stdout) == {"url": addresses.owner_dsn}
    monkeypatch.setenv("FLUXBASE_DATABASE_OWNER_URL", "postgresql://owner@db/fluxbase")
    assert (await run("url")).stdout == "postgresql://owner@db/fluxbase\n"


async def test_a_setting_that_cannot_be_used_is_named(run, monkeypatch):
    monkeypatch.setenv("FLUXBASE_SERVER_RATE_LIMIT_BURST", "0")
    assert "FLUXBASE_SERVER_RATE_LIMIT_BURST" in (await run("users", "list", code=2)).stderr

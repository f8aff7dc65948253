"""`flakeguard demo` on real servers: what is planted is found, by the path that every upload takes."""

import asyncio
import json

import pytest

from fluxbase.auth import passwords

EMAIL = "ada@example.com"


@pytest.fixture
def on_servers(addresses, run, settings, monkeypatch):
    """Run the command line against the test's own database."""
    monkeypatch.setattr(passwords, "ROUNDS", 4)
    environment = {
        "FG_DATABASE_DSN": addresses.runtime_dsn,
        "FG_DATABASE_OWNER_DSN": addresses.owner_dsn,
        "FG_JWT_SECRET": addresses.secret,
        "REDIS_URL": addresses.redis_url,
        "PORT": "9",  # nobody listens there
    }

    async def _run(*arguments, **options):
        return await asyncio.to_thread(run, list(arguments), env=environment, **options)

    return _run


async def test_every_planted_test_gets_the_verdict_it_was_planted_for(on_servers, owner):
    result = await on_servers("demo", "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["filled"]
    assert (document["email"], bool(document["password"])) == ("demo@example.com", True)

    rows = await owner.fetch("SELECT test_case_id, verdict FROM flake_stats")
    verdicts = {row["test_case_id"]: row["verdict"] for row in rows}
    planted = {plant["key"]: plant for plant in document["planted"]}
    assert {key: verdicts[plant["test_case_id"]] for key, plant in planted.items()} == {
        key: plant["verdict"] for key, plant in planted.items()
    }
    others = {verdicts[number] for number in verdicts.keys() - {p["test_case_id"] for p in planted.values()}}
    assert others == {"stable"}

    assert await owner.fetchval("SELECT count(*) FROM test_runs WHERE outage") == 1
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 0
    assert await owner.fetchval("SELECT count(*) FROM ingestions WHERE state = 'analyzed'") == document["runs"]
    assert await owner.fetchval("SELECT count(*) FROM flake_events") == document["attempts"]
    days = await owner.fetchval("SELECT count(DISTINCT created_at::date) FROM verdict_changes")
    assert days > 5, "verdicts changed as the runs ended, not all in one minute"

    shaken = await owner.fetch("SELECT test_case_id FROM verdict_changes GROUP BY 1 HAVING count(*) > 8")
    assert not shaken, "no verdict flaps"

    second = await on_servers("demo")
    assert second.exit_code == 0, second.output
    assert "filled already" in second.stdout
    assert "--again" in second.stdout
    assert f"/runs/{document['open_pull_request']['run_id']}" in second.stdout
    assert await owner.fetchval("SELECT count(*) FROM test_runs") == document["runs"]

    refused = await on_servers("demo", "--again", input="n\n")
    assert refused.exit_code == 1
    assert await owner.fetchval("SELECT count(*) FROM test_runs") == document["runs"]


@pytest.fixture
def short(monkeypatch):
    """The newest runs of the history alone."""
    from flakeguard.cli import demo
    from flakeguard.demo.history import History, generate

    def newest(now, seed):
        history = generate(now, seed)
        return History(history.runs[-4:], history.plants)

    monkeypatch.setattr(demo, "generate", newest)


async def test_an_account_becomes_owner_and_keeps_its_password(on_servers, owner, short):
    await owner.execute("INSERT INTO auth.users (email, encrypted_password) VALUES ($1, 'kept')", EMAIL)
    first = await on_servers("demo", "--project", "tour")
    assert first.exit_code == 0, first.output
    assert "password" not in first.stdout, "the only account is used, and keeps its own"
    assert await owner.fetchval("SELECT encrypted_password FROM auth.users") == "kept"
    assert "flakeguard up" in first.stdout, "nothing answers at the address, so it says how to start it"
    assert first.stdout.count("/flakes/") == 4

    named = await on_servers("demo", "--project", "tour", "--email", "Grace@Example.com", "--json")
    assert named.exit_code == 0, named.output
    document = json.loads(named.stdout)
    assert (document["filled"], bool(document["password"])) == (False, True)
    roles = await owner.fetch("SELECT u.email, m.role FROM memberships m JOIN auth.users u ON u.id = m.user_id")
    assert {(row["email"], row["role"]) for row in roles} == {(EMAIL, "OWNER"), ("Grace@example.com", "OWNER")}

    nobody = await on_servers("demo")
    assert nobody.exit_code == 2
    assert "--email" in nobody.stderr


async def test_again_deletes_and_refills(on_servers, owner, short):
    first = json.loads((await on_servers("demo", "--json")).stdout)
    again = await on_servers("demo", "--again", "--yes", "--email", "demo@example.com", "--json")
    assert again.exit_code == 0, again.output
    document = json.loads(again.stdout)
    assert document["filled"]
    assert document["password"] is None
    assert document["project_id"] != first["project_id"]
    assert await owner.fetchval("SELECT count(*) FROM test_runs") == document["runs"] == 4


@pytest.mark.parametrize("options", [("--project", "No Slug"), ("--email", "nobody")])
async def test_what_cannot_be_used_is_said(on_servers, options):
    result = await on_servers("demo", *options)
    assert result.exit_code == 2
    assert "error" in result.stderr

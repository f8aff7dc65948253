"""`flakeguard admin` on real servers."""

import asyncio
import json

import pytest


@pytest.fixture
def admin(addresses, run):
    """Run the command line against the test's own database."""
    environment = {
        "FG_DATABASE_DSN": addresses.runtime_dsn,
        "FG_DATABASE_OWNER_DSN": addresses.owner_dsn,
        "FG_JWT_SECRET": addresses.secret,
        "REDIS_URL": addresses.redis_url,
    }
    return lambda *arguments: asyncio.to_thread(run, ["admin", *arguments], env=environment)


async def test_a_job_that_nobody_gave_up_cannot_be_tried_again(admin):
    for arguments in (["retry", "upload-1"], ["retry", "upload-1", "--json"]):
        result = await admin(*arguments)
        assert result.exit_code == 3
        assert "no job upload-1 was given up" in result.stderr


async def test_nothing_given_up_is_no_error(admin):
    assert "0 jobs" in (await admin("failed")).stdout
    assert (await admin("retry")).exit_code == 0


async def test_operators_are_named_listed_and_taken_away(admin, owner):
    await owner.execute("INSERT INTO auth.users (email) VALUES ('ada@example.com'), ('bob@example.com')")
    assert (await admin("operators")).stdout == "0 operators\n"
    assert (await admin("operators", "--add", " Ada@example.com")).stdout == "ada@example.com\n1 operator\n"
    added = await admin("operators", "--add", "bob@example.com", "--json")
    assert json.loads(added.stdout) == {"operators": ["ada@example.com", "bob@example.com"]}
    assert (await admin("operators", "--remove", "ada@example.com")).stdout == "bob@example.com\n1 operator\n"


async def test_who_has_no_account_cannot_operate(admin):
    for option in ("--add", "--remove"):
        result = await admin("operators", option, "nobody@example.com")
        assert result.exit_code == 3
        assert "there is no account nobody@example.com" in result.stderr

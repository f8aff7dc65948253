"""`flakeguard github` against a GitHub on loopback: what each command says, does and ends with."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from click.testing import Result
from tests.github.fake import APP_ID, FakeGitHub, fake_github

from fluxbase.db import Connection
from fluxbase.resources import Addresses

type Command = Callable[..., Awaitable[Result]]


@pytest.fixture
async def fake() -> AsyncIterator[FakeGitHub]:
    async with fake_github() as made:
        made.add_repository("acme/shop", 815, 4711)
        yield made


@pytest.fixture
def without_app(addresses: Addresses) -> dict[str, str]:
    return {
        "FG_DATABASE_DSN": addresses.runtime_dsn,
        "FG_DATABASE_OWNER_DSN": addresses.owner_dsn or "",
        "FG_JWT_SECRET": addresses.secret,
        "REDIS_URL": addresses.redis_url,
    }


@pytest.fixture
def command(fake: FakeGitHub, without_app: dict[str, str], run: Callable[..., Result]) -> Command:
    environment = without_app | {
        "GITHUB_APP_ID": str(APP_ID), "GITHUB_PRIVATE_KEY": fake.private_key, "GITHUB_API_URL": fake.url,
    }  # fmt: skip
    return lambda *arguments: asyncio.to_thread(run, ["github", *arguments], env=environment)


async def test_status_says_what_the_app_is_and_what_is_missing(command: Command, fake: FakeGitHub) -> None:
    fake.add_delivery("missed")
    told = json.loads((await command("status", "--json")).stdout)
    assert told == {
        "configured": True,
        "missing": ["GITHUB_WEBHOOK_SECRET", "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "GITHUB_APP_SLUG"],
        "app": {
            "id": APP_ID, "name": "FlakeGuard", "slug": "flakeguard", "events": ["workflow_run"],
        },
        "installations": 1,
        "missedToday": 1,
        "budgets": {},
    }  # fmt: skip
    shown = (await command("status")).stdout
    assert f"FlakeGuard ({APP_ID}) at {fake.url}" in shown
    assert "not set: GITHUB_WEBHOOK_SECRET, for taking webhooks" in shown


@pytest.mark.parametrize("arguments", ["installations", "deliveries", "redeliver 1"])
def test_without_an_app_every_command_says_what_is_missing(
    without_app: dict[str, str], run: Callable[..., Result], arguments: str
) -> None:
    result = run(["github", *arguments.split()], env=without_app)
    assert result.exit_code == 2
    assert "GITHUB_APP_ID and GITHUB_PRIVATE_KEY are not set" in result.stderr


def test_status_without_an_app(without_app: dict[str, str], run: Callable[..., Result]) -> None:
    result = run(["github", "status", "--json"], env=without_app)
    assert result.exit_code == 2
    assert json.loads(result.stdout)["configured"] is False
    assert "No GitHub App is configured." in run(["github", "status"], env=without_app).stdout


async def test_installations_are_listed_with_whose_they_are(command: Command, fake: FakeGitHub, owner) -> None:
    fake.add_repository("other/shop", 816, 4712)
    fake.suspended[4712] = "2026-11-25T10:00:00Z"
    assert json.loads((await command("installations", "--json")).stdout) == [
        {"id": 4711, "account": "acme", "type": "Organization", "state": "not known here yet", "organizationId": None},
        {"id": 4712, "account": "other", "type": "Organization", "state": "suspended", "organizationId": None},
    ]
    table = (await command("installations")).stdout.splitlines()
    assert table[2].split() == ["4712", "other", "suspended", "nobody's"]


async def test_failed_deliveries_are_listed_and_asked_for_again(
    command: Command, fake: FakeGitHub, owner: Connection
) -> None:
    first, second = fake.add_delivery("one"), fake.add_delivery("two")
    await owner.execute("INSERT INTO github_deliveries (guid, event, body, state) VALUES ('two', 'ping', '', 'done')")
    listed = json.loads((await command("deliveries", "--json")).stdout)
    assert [(one["id"], one["guid"], one["here"]) for one in listed] == [
        (second, "two", "done"),
        (first, "one", "missed"),
    ]
    assert "missed, asked for 0 times" in (await command("deliveries")).stdout
    done = await command("redeliver", "one", str(second), "--json")
    assert json.loads(done.stdout) == {"askedFor": [first, second]}
    assert len(fake.asked_for("attempts")) == 2
    unknown = await command("redeliver", "three")
    assert (unknown.exit_code, len(fake.asked_for("attempts"))) == (3, 2)


@pytest.mark.parametrize(("status", "headers", "code"), [(401, {}, 4), (502, {}, 5), (429, {"retry-after": "7"}, 5)])
async def test_what_github_refuses_ends_the_command(
    command: Command, fake: FakeGitHub, status: int, headers: dict[str, str], code: int
) -> None:
    fake.fail("GET /app", status=status, headers=headers)
    result = await command("status")
    assert result.exit_code == code
    assert "error:" in result.stderr

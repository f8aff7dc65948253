"""Deliveries that came while nobody was there are asked for again, a few times, and none that is here."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.github.fake import FakeGitHub

from flakeguard.github.api import GitHub
from flakeguard.github.redelivering import redelivering
from flakeguard.github.redelivering.pace import REDELIVERABLE, WAITS, read_since
from flakeguard.github.redelivering.redelivering import Look, ask_again
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.schedules import INSTALLATIONS, MISSED, POLLING_DUE, scheduled_functions
from fluxbase.jobs import running_jobs
from fluxbase.resources import Resources, utc_now

from .conftest import Deliver, run_event


async def look(resources: Resources, github: GitHub, *, later: timedelta = timedelta()) -> Look:
    return await ask_again(replace(resources, now=lambda: utc_now() + later), github)


def answers(fake: FakeGitHub, deliver: Deliver) -> None:
    """From now on we are there."""

    async def hand_over(delivery: dict[str, Any]) -> int:
        run_id = int(delivery["guid"].removeprefix("guid-"))
        return (await deliver(delivery["event"], run_event(run_id=run_id), guid=delivery["guid"])).status_code

    fake.hand_over = hand_over


async def asked(fake: FakeGitHub) -> int:
    return len(fake.asked_for("attempts"))


async def test_what_was_missed_arrives_and_is_owed_once(
    fake: FakeGitHub, github: GitHub, resources: Resources, deliver: Deliver, owner, bound: None
) -> None:
    for number in (1, 2, 3):
        fake.add_delivery(f"guid-{number}")
    fake.add_delivery("guid-4", status_code=202)
    answers(fake, deliver)
    assert await look(resources, github) == Look(failed=3, asked=3)
    kept = await owner.fetch("SELECT guid FROM github_deliveries WHERE event = 'workflow_run' AND state = 'received'")
    assert {row["guid"] for row in kept} == {"guid-1", "guid-2", "guid-3"}
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE name = 'process-run'") == 3
    assert (await look(resources, github, later=timedelta(hours=1))).arrived == 3
    assert await owner.fetchval("SELECT count(*) FROM github_missed_deliveries") == 0
    assert await asked(fake) == 3


async def test_what_is_here_is_not_asked_for_whatever_github_says(
    fake: FakeGitHub, github: GitHub, resources: Resources, deliver: Deliver, bound: None
) -> None:
    """Our 202 came too late for GitHub, or got lost."""
    assert (await deliver("workflow_run", run_event(run_id=1), guid="guid-1")).status_code == 202
    fake.add_delivery("guid-1", status_code=0, status="timed out")
    fake.add_delivery("guid-2")
    assert (await look(resources, github)).asked == 1  # guid-2, and we are away
    assert (await deliver("workflow_run", run_event(run_id=2), guid="guid-2")).status_code == 202
    for hours in (1, 2, 9):
        assert (await look(resources, github, later=timedelta(hours=hours))).asked == 0
    assert await asked(fake) == 1


async def test_each_is_asked_for_a_few_times_further_and_further_apart(
    fake: FakeGitHub, github: GitHub, resources: Resources, owner
) -> None:
    fake.add_delivery("guid-1")
    minutes = (0, 4, 6, 30, 37, 150, 160, 600, 640, 2000)
    looks = {minute: await look(resources, github, later=timedelta(minutes=minute)) for minute in minutes}
    assert [minute for minute, one in looks.items() if one.asked] == [0, 6, 37, 160, 640]
    assert await asked(fake) == len(WAITS)
    assert await owner.fetchval("SELECT count(*) FROM github_missed_deliveries") == 1  # it stays known
    await look(resources, github, later=timedelta(days=8))
    assert await owner.fetchval("SELECT count(*) FROM github_missed_deliveries") == 0


async def test_two_looks_at_once_ask_once(fake: FakeGitHub, github: GitHub, resources: Resources) -> None:
    for number in range(6):
        fake.add_delivery(f"guid-{number}")
    looks = await asyncio.gather(*(look(resources, github) for _ in range(3)))
    assert sum(one.asked for one in looks) == await asked(fake) == 6


async def test_a_limit_ends_the_look_and_costs_no_ask(
    fake: FakeGitHub, github: GitHub, resources: Resources, owner
) -> None:
    for number in range(3):
        fake.add_delivery(f"guid-{number}")
    fake.fail("attempts", status=429, headers={"retry-after": "1"})
    first = await look(resources, github)
    assert (first.asked, first.failed) == (0, 3)
    assert first.stopped is not None
    assert await owner.fetchval("SELECT max(asks) FROM github_missed_deliveries") == 0
    await asyncio.sleep(1.1)
    assert (await look(resources, github)).asked == 3
    fake.fail("GET /app/hook", status=503)
    assert (await look(resources, github)).stopped is not None


async def test_what_github_does_not_have_any_more_is_not_asked_for_again(
    fake: FakeGitHub, github: GitHub, resources: Resources, owner
) -> None:
    fake.add_delivery("guid-1")
    fake.fail("attempts", status=422, body={"message": "too old"})
    assert (await look(resources, github)).refused == 1
    assert (await look(resources, github, later=timedelta(hours=1))) == Look(failed=1)
    assert "too old" in await owner.fetchval("SELECT error FROM github_missed_deliveries")


async def test_a_flood_comes_in_parts(
    fake: FakeGitHub, github: GitHub, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redelivering, "MOST_AT_ONCE", 5)
    for number in range(7):
        fake.add_delivery(f"guid-{number}")
    assert [(await look(resources, github)).asked for _ in range(3)] == [5, 2, 0]


def test_the_list_is_read_from_the_last_look_or_three_days_back() -> None:
    now = utc_now()
    assert read_since(None, now) == read_since(now - timedelta(days=9), now) == now - REDELIVERABLE
    assert now - timedelta(minutes=30) < read_since(now - timedelta(minutes=5), now) < now - timedelta(minutes=5)


async def test_a_worker_with_an_app_looks_when_it_starts(
    fake: FakeGitHub, github: GitHub, resources: Resources, settings: FlakeGuardSettings, owner
) -> None:
    fake.add_repository("acme/shop", 815, 4711)
    fake.add_delivery("guid-1")
    polling = settings.model_copy(update={"polling_enabled": True})
    await owner.execute(
        "INSERT INTO outbox (queue, name, job_id, data, dead_at, error)"
        " VALUES ('polling', 'discover', 'discover', '{}', now(), 'there was no key of an App')"
    )
    async with running_jobs(resources, polling, scheduled_functions(polling, github)), asyncio.timeout(20):
        while not (  # noqa: ASYNC110 -- tables
            fake.asked_for("attempts")
            and await owner.fetchval("SELECT count(*) FROM github_installations")
            and await owner.fetchval("SELECT dead_at IS NULL FROM outbox WHERE job_id = 'discover'")
        ):
            await asyncio.sleep(0.05)


def test_without_an_app_nothing_asks_github(settings: FlakeGuardSettings) -> None:
    names = scheduled_functions(settings.model_copy(update={"polling_enabled": True})).names
    assert not {MISSED, INSTALLATIONS, POLLING_DUE} & set(names)

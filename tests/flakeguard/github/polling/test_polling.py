"""Polling finds what no webhook told of, each run once, and leaves GitHub alone when it is told to."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.github import faults
from tests.github.fake import FakeGitHub, Repository

from flakeguard.github.api import GitHub, installation
from flakeguard.github.facts import Run
from flakeguard.github.polling.pace import FIRST_LOOK, LONGEST_WAIT, created_since, next_cursor, wait_after
from flakeguard.github.polling.polling import Pace, discover, poll_repository
from flakeguard.github.webhooks.repository import note_run, set_run_state
from flakeguard.worker.jobs import PollRepositoryJobData
from flakeguard.worker.outbox import settle
from fluxbase.resources import Resources

from ...conftest import Tenant
from ..conftest import INSTALLATION, REPOSITORY, another_client

RUNS = "GET .*/actions/runs$"
STARTED = datetime(2026, 11, 25, 10, tzinfo=UTC)
PACE = Pace(timedelta(minutes=5), 2)
NOW = STARTED + timedelta(minutes=30)


@pytest.fixture(autouse=True)
async def bound(resources: Resources, tenant: Tenant) -> None:
    """Three repositories of a bound installation, and one of an installation that is nobody's."""
    organization = tenant.project.organization_id
    async with resources.database.transaction() as connection:
        for number, bound_to in ((INSTALLATION, organization), (1, None)):
            await connection.execute(
                "INSERT INTO github_installations (id, account_id, account_login, organization_id)"
                " VALUES ($1, 99, 'acme', $2)", number, bound_to,
            )  # fmt: skip
        for number in range(3):
            await connection.execute(
                "INSERT INTO github_repositories (id, installation_id, organization_id, full_name, project_id)"
                " VALUES ($1, $2, $3, $4, $5)",
                REPOSITORY + number, INSTALLATION, organization, f"acme/shop{number}", tenant.project.id,
            )  # fmt: skip
        await connection.execute(
            "INSERT INTO github_repositories (id, installation_id, full_name) VALUES (5, 1, 'nobody/shop')"
        )


async def rows(resources: Resources, query: str) -> list[tuple]:
    async with resources.database.transaction() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


@pytest.fixture
def shop(fake: FakeGitHub) -> Repository:
    return fake.add_repository("acme/shop0", REPOSITORY, INSTALLATION)


async def poll(resources: Resources, github: GitHub, now: datetime = NOW) -> dict:
    data = PollRepositoryJobData(repository_id=REPOSITORY)
    return dict(await poll_repository(
        resources.database, github.installation, data, job_id=f"poll-{REPOSITORY}", pace=PACE,
        now=lambda: now, random=lambda: 0.0,
    ))  # fmt: skip


async def test_each_completed_run_is_owed_once(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.add_run(shop, 5, status="in_progress", conclusion=None)
    fake.add_run(shop, 3, conclusion="skipped")
    for number in (1, 2, 4):
        fake.add_run(shop, number)
    assert await poll(resources, github) == {"polled": True, "runsSeen": 4, "runsOwed": 3}
    fake.add_run(shop, 5)
    fake.add_run(shop, 1, run_attempt=2)
    assert await poll(resources, github) == {"polled": True, "runsSeen": 5, "runsOwed": 2}
    assert await poll(resources, github) == {"polled": True, "runsSeen": 0, "runsOwed": 0}  # 304
    owed = await rows(
        resources,
        "SELECT data -> 'workflowRunId', data -> 'runAttempt' FROM outbox WHERE queue = 'runs:ingest' ORDER BY 1, 2",
    )
    assert owed == [(1, 1), (1, 2), (2, 1), (4, 1), (5, 1)]
    assert sorted(await rows(resources, "SELECT workflow_run_id FROM github_runs WHERE state = 'empty'")) == [(3,)]


async def test_a_run_that_waited_for_approval_is_owed_once_it_has_run(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.add_run(shop, 1, conclusion="action_required")
    assert await poll(resources, github) == {"polled": True, "runsSeen": 1, "runsOwed": 0}
    fake.add_run(shop, 1, conclusion="success")
    assert await poll(resources, github) == {"polled": True, "runsSeen": 1, "runsOwed": 1}


async def test_a_run_that_is_approved_after_days_is_found_though_newer_ones_came(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    def at(**later: int) -> str:
        return f"{STARTED + timedelta(**later):%Y-%m-%dT%H:%M:%SZ}"

    fake.add_run(shop, 1, conclusion="action_required")
    await poll(resources, github, STARTED + timedelta(hours=1))
    for hours in (29, 60):
        fake.add_run(shop, hours, created_at=at(hours=hours))
        await poll(resources, github, STARTED + timedelta(hours=hours))
    fake.add_run(shop, 1, status="in_progress", conclusion=None)
    fake.add_run(shop, 61, created_at=at(hours=61))
    await poll(resources, github, STARTED + timedelta(hours=61))
    fake.add_run(shop, 1, conclusion="success")
    assert (await poll(resources, github, STARTED + timedelta(hours=62)))["runsOwed"] == 1
    cursor = f"SELECT poll_cursor FROM github_repositories WHERE id = {REPOSITORY}"
    assert await rows(resources, cursor) == [(STARTED + timedelta(hours=61),)]  # held no longer
    fake.add_run(shop, 62, conclusion="action_required", created_at=at(hours=62), run_started_at=at(hours=62))
    fake.add_run(shop, 63, created_at=at(days=11))
    await poll(resources, github, STARTED + timedelta(days=11))
    assert await rows(resources, cursor) == [(STARTED + timedelta(days=11),)]  # nor for longer than a week


async def test_a_rerun_behind_a_page_that_is_still_the_same_is_seen(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "A_PAGE", 2)
    for number in (1, 2, 3):
        fake.add_run(shop, number)
    assert (await poll(resources, github))["runsOwed"] == 3
    await poll(resources, github)  # from the newest on, which is another address
    fake.add_run(shop, 1, run_attempt=2)
    assert await poll(resources, github) == {"polled": True, "runsSeen": 1, "runsOwed": 1}
    assert all("if-none-match" in asked.headers for asked in fake.asked_for(RUNS)[-2:])


async def test_attempts_before_the_latest_are_owed_too_unless_they_are_known(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.add_run(shop, 1, run_attempt=3)
    assert await poll(resources, github) == {"polled": True, "runsSeen": 1, "runsOwed": 3}
    fake.add_run(shop, 1, run_attempt=4)
    assert await poll(resources, github) == {"polled": True, "runsSeen": 1, "runsOwed": 1}
    owed = await rows(
        resources, "SELECT (data ->> 'runAttempt')::int FROM outbox WHERE queue = 'runs:ingest' ORDER BY 1"
    )
    assert owed == [(1,), (2,), (3,), (4,)]


async def test_a_webhook_and_a_look_at_once_owe_a_run_once(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    async def webhook(number: int) -> int:
        told = Run(number, 1, "a" * 40, "topic", "push", (), "CI", 7, None, "completed", "failure", STARTED)
        async with resources.database.transaction() as connection:
            first = await note_run(connection, REPOSITORY, told) is None
            await asyncio.sleep(0)
            await set_run_state(connection, REPOSITORY, told, "owed")
            return int(first)

    async def webhooks_once_it_is_listed() -> list[int]:
        while not fake.asked_for(RUNS):  # noqa: ASYNC110 -- GitHub's answer is on its way then
            await asyncio.sleep(0.001)
        return await asyncio.gather(*(webhook(number) for number in range(1, 21)))

    for number in range(1, 21):
        fake.add_run(shop, number)
    looked, told = await asyncio.gather(poll(resources, github), webhooks_once_it_is_listed())
    assert looked["runsOwed"] + sum(told) == 20
    assert await rows(resources, "SELECT count(*), count(*) FILTER (WHERE state = 'owed') FROM github_runs") == [
        (20, 20)
    ]


async def test_as_many_looks_as_wanted_are_under_way(resources: Resources, shop: Repository, github: GitHub) -> None:
    async def find(now: datetime = NOW) -> int:
        return await discover(resources.database, job_id=None, pace=PACE, now=now)

    assert await find() == 2
    assert await find() == 0
    await poll(resources, github)  # whoever is done makes room for the next
    assert await rows(resources, "SELECT job_id FROM outbox ORDER BY id") == [
        (f"poll-{REPOSITORY + 1}",), (f"poll-{REPOSITORY + 2}",),
    ]  # fmt: skip
    async with resources.database.transaction() as connection:
        for number in (1, 2):
            await settle(connection, f"poll-{REPOSITORY + number}")
        await connection.execute("UPDATE github_repositories SET polled_at = $1", NOW)
    assert await find(NOW + timedelta(minutes=4)) == 0
    assert await find(NOW + timedelta(minutes=5)) == 2


async def test_a_repository_that_cannot_be_listed_rests_longer_each_time(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.faults.on(RUNS, faults.broken(502), times=3)
    waits = []
    for _ in range(3):
        told = await poll(resources, github)
        waits.append(datetime.fromisoformat(told["until"]) - NOW)
    assert waits == [timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=40)]
    await poll(resources, github)
    assert await rows(
        resources, f"SELECT poll_failures, poll_after FROM github_repositories WHERE id = {REPOSITORY}"
    ) == [(0, None)]


async def test_a_rate_limit_lets_the_whole_installation_rest(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.faults.on(RUNS, faults.too_many(3600))
    await poll(resources, github)
    assert await discover(resources.database, job_id=None, pace=PACE, now=NOW + timedelta(minutes=59)) == 0
    assert await discover(resources.database, job_id=None, pace=PACE, now=NOW + timedelta(minutes=61)) == 2


def test_cursors_overlap_and_never_go_back() -> None:
    assert created_since(None, NOW) <= NOW - FIRST_LOOK
    assert created_since(NOW, NOW) == NOW - timedelta(days=1)
    assert next_cursor(NOW, [STARTED], NOW) == NOW
    assert next_cursor(None, [NOW + timedelta(days=9), STARTED], NOW) == NOW
    assert next_cursor(None, [], NOW) is None
    assert wait_after(99, timedelta(minutes=5), 0.0) == LONGEST_WAIT


def test_a_cursor_lets_what_waits_be_listed() -> None:
    assert next_cursor(None, [NOW], NOW, NOW - timedelta(hours=9)) == NOW
    assert next_cursor(None, [NOW], NOW, NOW - timedelta(days=3)) == NOW - timedelta(days=2)
    assert next_cursor(STARTED, [NOW], NOW, NOW - timedelta(days=3)) == STARTED
    assert next_cursor(None, [], NOW, NOW) is None


async def test_a_rate_limit_is_no_failure_of_the_repository(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.faults.on(RUNS, faults.broken(503))
    fake.faults.on(RUNS, faults.too_many(600))
    for _ in range(4):
        await poll(resources, github)
    assert await rows(resources, f"SELECT poll_failures FROM github_repositories WHERE id = {REPOSITORY}") == [(1,)]
    fake.faults.on(RUNS, faults.broken(503))
    async with another_client(fake) as unlimited:
        told = await poll(resources, unlimited)
    assert datetime.fromisoformat(told["until"]) - NOW == timedelta(minutes=20)


async def test_a_look_that_died_keeps_its_repository_out_for_an_hour(resources: Resources) -> None:
    async def find(minutes: int) -> int:
        return await discover(resources.database, job_id=None, pace=PACE, now=NOW + timedelta(minutes=minutes))

    assert await find(0) == 2
    async with resources.database.transaction() as connection:
        await settle(connection, f"poll-{REPOSITORY + 1}")
        await connection.execute(
            "UPDATE outbox SET dead_at = $2, error = 'the repository is gone' WHERE job_id = $1",
            f"poll-{REPOSITORY}", NOW,
        )  # fmt: skip
        await connection.execute("UPDATE github_repositories SET polled_at = $1 WHERE id <> $2", NOW, REPOSITORY)
    assert await find(4) == 0
    assert await rows(resources, "SELECT job_id FROM outbox WHERE dead_at IS NOT NULL") == [(f"poll-{REPOSITORY}",)]
    async with resources.database.transaction() as connection:
        await connection.execute(
            "UPDATE github_repositories SET poll_after = $1 WHERE id <> $2", NOW + timedelta(hours=9), REPOSITORY
        )
    assert await find(61) == 1
    assert await rows(resources, "SELECT job_id, dead_at FROM outbox") == [(f"poll-{REPOSITORY}", None)]
    assert await rows(resources, "SELECT job_id, error, act, actor FROM dead_letter_acts") == [
        (f"poll-{REPOSITORY}", "the repository is gone", "retried", "polling")
    ]

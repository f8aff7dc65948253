"""The whole way: GitHub tells of a run, or is asked; artifacts become verdicts, a check run and a comment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from structlog.testing import capture_logs
from tests.github.fake import FakeGitHub, Repository, fake_github

from flakeguard.github.jobs import Fetching
from flakeguard.github.polling.polling import discover
from flakeguard.reports.archives import ArchiveLimits
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Resources

from ..uploads import FAIL, PASS, report, zipped
from .conftest import INSTALLATION, REPOSITORY, SHA, Deliver, run_event

RUN = 1000
JUNIT = zipped({"TEST-cart.xml": report({"adds": FAIL, "pays": PASS}, class_name="tests.cart")})


@pytest.fixture
async def fake() -> AsyncIterator[FakeGitHub]:
    async with fake_github() as made:
        yield made


@pytest.fixture
def settings(settings: FlakeGuardSettings, fake: FakeGitHub) -> FlakeGuardSettings:
    return settings.model_copy(update={"github_api_url": fake.url, "github_private_key": SecretStr(fake.private_key)})


@pytest.fixture
def shop(fake: FakeGitHub, bound: None) -> Repository:
    made = fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    made.pulls = [{"number": 12, "state": "open", "head": {"sha": SHA}}]
    return made


@pytest.fixture
def work(resources: Resources, settings: FlakeGuardSettings, owner) -> Callable[[], Awaitable[None]]:
    """A worker, until nothing is owed any more."""

    async def until_settled() -> None:
        async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())), asyncio.timeout(30):
            while await owner.fetchval("SELECT count(*) FROM outbox WHERE dead_at IS NULL"):  # noqa: ASYNC110 -- a table
                await asyncio.sleep(0.02)
        assert await owner.fetchval("SELECT error FROM outbox") is None

    return until_settled


@pytest.fixture
def look(resources: Resources, settings: FlakeGuardSettings) -> Callable[[], Awaitable[int]]:
    """What the schedule of polling does."""

    async def owe_looks() -> int:
        pace = Fetching.by(settings, ArchiveLimits()).pace
        return await discover(resources.database, job_id=None, pace=pace, now=datetime.now(UTC))

    return owe_looks


async def attempts(owner) -> list[tuple]:
    """What is stored of runs: each attempt of a run, its job, its tests."""
    rows = await owner.fetch(
        "SELECT external_run_id, run_attempt, job, tests, failed FROM test_runs ORDER BY external_run_id, run_attempt"
    )
    return [tuple(row) for row in rows]


async def test_a_webhook_becomes_a_check_run_and_a_comment(
    deliver: Deliver, owner, fake: FakeGitHub, shop: Repository, work
) -> None:
    fake.add_run(shop, RUN, head_sha=SHA, head_branch="topic", event="pull_request")
    fake.add_job(shop, RUN, "unit")
    fake.add_artifact(shop, RUN, "junit-unit", JUNIT)
    fake.add_artifact(shop, RUN, "dist", b"no results")
    with capture_logs() as lines:
        assert (await deliver("workflow_run", run_event(), guid="guid-1")).status_code == 202
        await work()
    assert await attempts(owner) == [(str(RUN), 1, "unit", 2, 1)]
    (check_run,) = shop.check_runs.values()
    assert (check_run["head_sha"], check_run["name"], check_run["status"]) == (SHA, "FlakeGuard Analysis", "completed")
    (comment,) = shop.comments.values()
    assert comment["issue"] == 12
    assert "adds" in comment["body"]
    told = [line["queue"] for line in lines if line["event"] == "job completed" and "queue" in line]
    assert told == ["runs:ingest", "runs:ingest", "runs:analyze", "runs:analyze"]


async def test_one_id_leads_from_the_delivery_to_the_check_run(
    deliver: Deliver, owner, fake: FakeGitHub, shop: Repository, work
) -> None:
    fake.add_run(shop, RUN, head_sha=SHA)
    fake.add_artifact(shop, RUN, "junit", JUNIT)
    await owner.execute(
        "CREATE TABLE seen (name text, correlation_id text);"
        " CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        " $$ BEGIN INSERT INTO public.seen VALUES (new.name, new.correlation_id); RETURN NULL; END $$;"
        " CREATE TRIGGER see AFTER INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION see()"
    )
    await deliver("workflow_run", run_event(), guid="guid-of-github")
    await work()
    seen = {row["name"]: row["correlation_id"] for row in await owner.fetch("SELECT * FROM seen")}
    assert seen == dict.fromkeys(("process-run", "process-upload", "analyze-upload", "analyze-run"), "guid-of-github")


async def test_polling_finds_what_no_webhook_told_of(owner, fake: FakeGitHub, shop: Repository, look, work) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for number in range(3):
        fake.add_run(shop, RUN + number, head_sha=SHA, created_at=now)
        fake.add_artifact(shop, RUN + number, "junit", JUNIT)
    fake.add_run(shop, RUN + 9, head_sha=SHA, created_at=now, status="in_progress", conclusion=None)
    assert await look() == 1
    await work()
    assert [run[0] for run in await attempts(owner)] == ["1000", "1001", "1002"]
    assert len(shop.check_runs) == 1
    asked = len(fake.asked_for("zip"))
    await owner.execute("UPDATE github_repositories SET polled_at = now() - interval '1 day'")
    assert await look() == 1
    await work()
    assert len(fake.asked_for("zip")) == asked
    assert "if-none-match" in fake.asked_for("actions/runs$")[-1].headers


async def test_a_run_that_is_told_and_found_is_fetched_once(
    deliver: Deliver, owner, fake: FakeGitHub, shop: Repository, look, work
) -> None:
    fake.add_run(shop, RUN, head_sha=SHA, created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    fake.add_artifact(shop, RUN, "junit", JUNIT)
    await look()
    for guid in ("one", "two", "two"):
        assert (await deliver("workflow_run", run_event(), guid=guid)).status_code == 202
    await work()
    assert len(await attempts(owner)) == 1
    assert len(fake.asked_for("zip")) == 1
    assert len(shop.check_runs) == len(shop.comments) == 1


async def test_a_rerun_has_its_own_artifacts(deliver: Deliver, owner, fake: FakeGitHub, shop: Repository, work) -> None:
    fake.add_run(shop, RUN, head_sha=SHA)
    fake.add_artifact(shop, RUN, "junit", JUNIT, created_at="2026-11-25T10:05:00Z")
    await deliver("workflow_run", run_event())
    await work()
    fake.add_run(shop, RUN, head_sha=SHA, run_attempt=2, run_started_at="2026-11-25T11:00:00Z", conclusion="success")
    passed = zipped({"TEST-cart.xml": report({"adds": PASS, "pays": PASS}, class_name="tests.cart")})
    fake.add_artifact(shop, RUN, "junit", passed, created_at="2026-11-25T11:05:00Z")
    await deliver("workflow_run", run_event(attempt=2, run_started_at="2026-11-25T11:00:00Z", conclusion="success"))
    await work()
    assert [(attempt, failed) for _, attempt, _, _, failed in await attempts(owner)] == [(1, 1), (2, 0)]
    assert len(shop.check_runs) == 1


async def test_a_run_that_github_does_not_know_is_failed_and_its_dead_letter_says_why(
    deliver: Deliver, owner, resources: Resources, settings: FlakeGuardSettings, shop: Repository
) -> None:
    await deliver("workflow_run", run_event(), guid="guid-1")
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())), asyncio.timeout(30):
        while not (dead := await owner.fetch("SELECT name, error FROM outbox WHERE dead_at IS NOT NULL")):  # noqa: ASYNC110 -- a table
            await asyncio.sleep(0.02)
    ((name, error),) = dead
    assert (name, "404" in error) == ("process-run", True)
    assert await owner.fetchval("SELECT state FROM github_runs") == "failed", "not owed: nothing comes by itself"

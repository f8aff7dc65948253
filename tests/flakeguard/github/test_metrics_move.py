"""Real work on a real worker moves every metric of the worker document, as `/metrics` on METRICS_PORT says them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from pydantic import SecretStr
from tests.github.fake import FakeGitHub, Repository, fake_github

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import retry_policy
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.operating import commanding
from flakeguard.worker.operating.serving import create_worker_app
from flakeguard.worker.runner import running_worker
from fluxbase.db import Connection
from fluxbase.resources import Resources

from ..conftest import Tenant
from ..uploads import FAIL, PASS, report, zipped
from .conftest import INSTALLATION, REPOSITORY, SHA, Deliver, run_event

RUN = 1000
PREFIX = "flakeguard_worker_"
TESTS = 3
JUNIT = zipped({"TEST-cart.xml": report({"flaps": (FAIL, PASS), "adds": FAIL, "pays": PASS}, class_name="tests.cart")})

type Samples = Mapping[str, float]


@pytest.fixture
async def fake() -> AsyncIterator[FakeGitHub]:
    async with fake_github() as made:
        yield made


@pytest.fixture
def settings(settings: FlakeGuardSettings, fake: FakeGitHub) -> FlakeGuardSettings:
    return settings.model_copy(
        update={
            "github_api_url": fake.url,
            "github_private_key": SecretStr(fake.private_key),
            "min_runs": 1,
        }
    )


@pytest.fixture
def shop(fake: FakeGitHub, bound: None) -> Repository:
    made = fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    fake.add_run(made, RUN, head_sha=SHA)
    fake.add_artifact(made, RUN, "junit", JUNIT)
    return made


class Work:
    """A worker under way, what it is given to do, and what its metrics say."""

    def __init__(self, resources: Resources, owner: Connection, scraped: httpx.AsyncClient) -> None:
        self._resources = resources
        self._owner = owner
        self._scraped = scraped

    async def samples(self) -> Samples:
        """Each sample by its name and its labels, as in `jobs_in_progress{queue=polling}`."""
        answer = await self._scraped.get("/metrics")
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                found[f"{sample.name.removeprefix(PREFIX)}{{{labels}}}".removesuffix("{}")] = sample.value
        return found

    async def settled(self) -> None:
        """Until nothing is owed."""
        async with asyncio.timeout(30):
            while await self._owner.fetchval("SELECT count(*) FROM outbox WHERE dead_at IS NULL"):  # noqa: ASYNC110 -- a table
                await asyncio.sleep(0.02)

    async def until(self, holds: Callable[[Samples], bool]) -> Samples:
        async with asyncio.timeout(30):
            while not holds(found := await self.samples()):  # noqa: ASYNC110 -- it is asked for
                await asyncio.sleep(0.02)
        return found

    async def does(self, queue: str, name: str, data: Mapping[str, Any]) -> Samples:
        """What the metrics say after this job, and those that follow from it."""
        await commanding.enqueue(self._resources, queue, name, data, correlation_id=None)
        await self.settled()
        return await self.until(lambda found: not any(found.get(f"jobs_in_progress{{queue={one}}}") for one in QUEUES))


QUEUES = ("runs:ingest", "runs:analyze", "tests:recompute", "polling")


@pytest.fixture
async def work(
    resources: Resources, settings: FlakeGuardSettings, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Work]:
    monkeypatch.setattr(retry_policy, "RETRY_DELAY_MS", 20)
    metrics = WorkerMetrics(CollectorRegistry())
    transport = httpx.ASGITransport(create_worker_app(settings, resources, metrics, None))
    async with (
        httpx.AsyncClient(transport=transport, base_url=f"http://localhost:{settings.metrics_port}") as scraped,
        running_worker(resources, settings, metrics),
    ):
        yield Work(resources, owner, scraped)


@asynccontextmanager
async def held_up(owner: Connection, project_id: int) -> AsyncIterator[None]:
    """Nobody can analyse the project meanwhile."""
    lock = "SELECT pg_advisory_{}(hashtextextended('flakeguard analysis', $1))"
    await owner.execute(lock.format("lock"), project_id)
    yield
    await owner.execute(lock.format("unlock"), project_id)


async def test_every_metric_moves(
    work: Work, deliver: Deliver, fake: FakeGitHub, shop: Repository, tenant: Tenant, owner: Connection
) -> None:
    fake.fail("POST .*/check-runs", status=502)
    async with held_up(owner, tenant.project.id):
        await deliver("workflow_run", run_event())
        # Both in one answer, but not of one moment: Redis is asked before this process counts.
        await work.until(
            lambda found: (
                found.get("jobs_in_progress{queue=runs:analyze}") == 1
                and found["queue_size{queue=runs:analyze,status=active}"] == 1
            )
        )
    await work.settled()

    told = await work.until(lambda found: found.get("jobs_in_progress{queue=runs:analyze}") == 0)
    made = "endpoint=POST /repos/{owner}/{repo}/check-runs"
    assert told["jobs_processed_total{queue=runs:ingest,status=completed}"] == 2, "the run, and its artifact"
    assert told["jobs_processed_total{queue=runs:analyze,status=completed}"] == 2, "the verdicts, and the check run"
    assert told["jobs_processed_total{queue=runs:analyze,status=retried}"] == 1
    assert told["job_retries_total{error=GitHubAwayError,queue=runs:analyze}"] == 1
    assert told["job_processing_duration_seconds_count{queue=runs:analyze}"] == 3
    assert told["job_processing_duration_seconds_sum{queue=runs:analyze}"] > 0
    assert told["queue_size{queue=runs:analyze,status=completed}"] == 2
    assert told["queue_throughput{queue=runs:analyze}"] > 0
    assert told[f"github_api_calls_total{{{made},status=502}}"] == 1
    assert told[f"github_api_calls_total{{{made},status=201}}"] == 1
    assert told[f"github_api_duration_seconds_count{{{made}}}"] == 2
    assert told[f"github_rate_limit_remaining{{installation={INSTALLATION}}}"] == 4987
    assert told["tests_analyzed_total"] == told["flakiness_score_count"] == TESTS
    assert told["flaky_tests_detected_total"] == 1
    assert told["memory_usage_bytes{type=rss}"] > 10_000_000
    assert told["health"] == 1


async def test_what_is_judged_again_is_counted_again(
    work: Work, deliver: Deliver, shop: Repository, tenant: Tenant
) -> None:
    await deliver("workflow_run", run_event())
    await work.settled()
    project = {"projectId": tenant.project.id}
    repository = {"owner": "acme", "repo": "shop"}
    everything = {"repository": repository, "recomputeScope": {"type": "all"}}
    run = {"workflowRunId": RUN, "repository": repository | {"installationId": INSTALLATION}, "forceRecompute": True}

    counted = [
        (await work.does(queue, name, data))["tests_analyzed_total"]
        for queue, name, data in (
            ("runs:analyze", "recompute-project", project),
            ("tests:recompute", "recompute", everything),
            ("runs:analyze", "analyze-run", run),
        )
    ]
    assert counted == [2 * TESTS, 3 * TESTS, 4 * TESTS]


async def test_what_is_broken_is_counted_and_polls_are(work: Work, shop: Repository) -> None:
    shop.runs[RUN]["created_at"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    polled = await work.does("polling", "discover", {})
    assert polled["jobs_processed_total{queue=polling,status=completed}"] == 2, "the looking for, and the look"
    assert polled["github_api_calls_total{endpoint=GET /repos/{owner}/{repo}/actions/runs,status=200}"] == 1

    broken = await work.does("runs:ingest", "process-run", {"workflowRunId": 7})
    assert broken["jobs_processed_total{queue=runs:ingest,status=failed}"] == 1
    assert broken["dlq_size{queue=runs:ingest}"] == 1

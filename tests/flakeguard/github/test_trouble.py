"""The short form of the worker's chaos: everything goes wrong at once for a moment, and each run is stored once.

The whole, with processes that are killed and servers that are restarted, is tests/chaos/test_worker.py.
"""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from tests.github import faults
from tests.github.fake import FakeGitHub
from tests.github.state import Repository

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import outbox, retry_policy
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Resources

from ..uploads import PASS, report, zipped
from .conftest import Deliver, run_event
from .test_from_run_to_verdict import fake, settings, shop  # noqa: F401 -- fixtures

RUNS = range(1, 21)
BROKEN = 11
KINDS = (
    faults.broken(500), faults.broken(502, after=True), faults.secondary_limit(), faults.too_many(), faults.cut(),
)  # fmt: skip


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "ENQUEUE_AGAIN_AFTER", timedelta(seconds=1))
    monkeypatch.setattr(outbox, "_LOOK_EVERY_SECONDS", 0.2)
    monkeypatch.setattr(retry_policy, "RETRY_DELAY_MS", 100)


async def test_each_run_is_stored_once_and_only_the_broken_one_is_given_up(
    deliver: Deliver, resources: Resources, settings: FlakeGuardSettings, owner, fake: FakeGitHub, shop: Repository,  # noqa: F811
) -> None:  # fmt: skip
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())), asyncio.timeout(90):
        fake.faults.at_rate(0.15, KINDS, seed=7)
        fake.faults.on(faults.STORED, faults.half(), times=2)
        for number in RUNS:
            sha = f"{number:040x}"
            fake.add_run(shop, number, head_sha=sha)
            content = b"PK no zip" if number == BROKEN else zipped({"r.xml": report({"a": PASS, "b": PASS})})
            fake.add_artifact(shop, number, "junit", content)
            while (await deliver("workflow_run", run_event(run_id=number, head_sha=sha))).status_code != 202:  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # the server had no connection: nothing is kept, and GitHub delivers again
            if number in (6, 14):
                await resources.redis.flushdb()
            if number == 10:
                await owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                    " AND datname = current_database() AND application_name <> 'test client'"
                )
            await asyncio.sleep(0.05)
        fake.faults.clear()
        while await owner.fetchval("SELECT count(*) FROM outbox WHERE dead_at IS NULL"):  # noqa: ASYNC110 -- a table
            await asyncio.sleep(0.05)
    stored = Counter(row["external_run_id"] for row in await owner.fetch("SELECT external_run_id FROM test_runs"))
    assert stored == Counter({str(number): 1 for number in RUNS if number != BROKEN})
    assert await owner.fetchval("SELECT count(*) FROM flake_events") == 2 * (len(RUNS) - 1)
    checks = Counter(run["head_sha"] for run in shop.check_runs.values())
    assert checks == Counter({f"{number:040x}": 1 for number in RUNS if number != BROKEN})
    (dead,) = await owner.fetch("SELECT job_id, error FROM outbox")
    assert dead["job_id"].endswith(f"-{BROKEN}-1")
    assert "is no ZIP" in dead["error"]

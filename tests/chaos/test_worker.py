"""2,000 runs told by GitHub, and uploads, while workers, Redis, PostgreSQL and GitHub are hurt: each is stored once."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import Any

import asyncpg
import httpx

from ..github import webhooks
from ..github.state import Repository
from ..simulated_organisation.github import signed_delivery
from .worker_site import BROKEN, CASES, Site, insist, report, running_site, send_upload, zipped
from .worker_troubles import Troubles

RUNS, UPLOADS, SEED = 2_000, 200, 7
_BROKEN_EVERY = 200
_AT_ONCE = 20
_PER_SECOND = 12
"""Slower than the worker, so that trouble finds it at every stage."""
_SETTLE_SECONDS = 420
_FIRST_RUN = 1_000_000


def test_every_run_and_upload_is_stored_once(capsys) -> None:
    with running_site() as site:
        outcome = asyncio.run(_play(site))
        with capsys.disabled():
            print(outcome.pop("told"))
        assert outcome == _expected(), site.worker.log.read_text()[-4000:]


async def _play(site: Site) -> dict[str, Any]:
    troubles, began = Troubles(site, SEED), time.monotonic()
    trouble = asyncio.create_task(troubles.go_on())
    await _send(site)
    sent = time.monotonic() - began
    trouble.cancel()
    with suppress(asyncio.CancelledError):
        await trouble
    troubles.clear_up()
    await _settled(site)
    took = time.monotonic() - began
    outcome = await _outcome(site)
    outcome["told"] = (
        f"\n{RUNS} runs and {UPLOADS} uploads, sent in {sent:.0f} s, done after {took:.0f} s\n"
        f"what happened: {dict(troubles.happened)}\nwhat GitHub refused: {troubles.refused}\n"
        f"dead letters: {outcome['dead letters']}"
    )
    return outcome


async def _send(site: Site) -> None:
    (repository,) = site.organisation.repositories.values()
    slots, numbers = asyncio.Semaphore(_AT_ONCE), count()
    async with (
        httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=20) as client,
        asyncio.TaskGroup() as group,
    ):

        async def one(number: int) -> None:
            async with slots:
                if number % (RUNS // UPLOADS) == 0:
                    await send_upload(client, site.token, number)
                _happen(site, repository, _FIRST_RUN + number)
                body, headers = _delivery(site, repository, _FIRST_RUN + number)
                await insist(client, "/github/webhook", content=body, headers=headers)

        for number in numbers:
            if number == RUNS:
                break
            group.create_task(one(number))
            await asyncio.sleep(1 / _PER_SECOND)


def _happen(site: Site, repository: Repository, run: int) -> None:
    fake, sha = site.organisation.fake, f"{run:040x}"
    fake.add_run(repository, run, head_sha=sha, event="push", created_at=_now(), run_started_at=_now())
    fake.add_job(repository, run, "unit")
    kind = _broken(run)
    fake.add_artifact(
        repository, run, "junit-unit", BROKEN[kind][0]() if kind else zipped(report(run)), created_at=_now()
    )


def _broken(run: int) -> str | None:
    number = run - _FIRST_RUN
    kinds = sorted(BROKEN)
    return kinds[number // _BROKEN_EVERY % len(kinds)] if number % _BROKEN_EVERY == 1 else None


def _delivery(site: Site, repository: Repository, run: int) -> tuple[bytes, dict[str, str]]:
    payload = webhooks.workflow_run(site.organisation.fake, repository, run)
    return signed_delivery("workflow_run", payload, f"delivery-{run}")


async def _settled(site: Site) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError, asyncpg.PostgresError):
            (owed,) = await site.rows("SELECT count(*) FROM outbox WHERE dead_at IS NULL")
            if not owed["count"]:
                return
        await asyncio.sleep(0.5)


async def _outcome(site: Site) -> dict[str, Any]:
    rows = await site.rows("SELECT repository, job, count(*), sum(tests) AS tests FROM test_runs GROUP BY 1, 2")
    runs = await site.rows("SELECT external_run_id, job FROM test_runs")
    states = await site.rows("SELECT state, count(*) FROM ingestions GROUP BY 1")
    owed = await site.rows("SELECT queue, name, count(*) FROM outbox WHERE dead_at IS NULL GROUP BY 1, 2")
    dead = await site.rows("SELECT queue, error FROM outbox WHERE dead_at IS NOT NULL")
    (events,) = await site.rows("SELECT count(*) FROM flake_events")
    (deliveries,) = await site.rows("SELECT count(*) FROM github_deliveries")
    (repository,) = site.organisation.repositories.values()
    commits = Counter(run["head_sha"] for run in repository.check_runs.values())
    return {
        "runs": {row["job"]: row["count"] for row in rows},
        "twice": [key for key, number in Counter(map(tuple, runs)).items() if number > 1],
        "results": events["count"],
        "deliveries": deliveries["count"],
        "ingestions": {row["state"]: row["count"] for row in states},
        "still owed": {(row["queue"], row["name"]): row["count"] for row in owed},
        "dead letters": dict(Counter(_why(row["error"]) for row in dead)),
        "commits without a check run": len({f"{run:040x}" for run in _good()} - commits.keys()),
        "commits with two": sum(number > 1 for number in commits.values()),
    }


def _expected() -> dict[str, Any]:
    good = len(list(_good()))
    broken = Counter(_broken(run) for run in range(_FIRST_RUN, _FIRST_RUN + RUNS) if _broken(run))
    return {
        "runs": {"unit": good, "uploaded": UPLOADS}, "twice": [], "results": CASES * (good + UPLOADS),
        "deliveries": RUNS, "ingestions": {"analyzed": good + UPLOADS}, "still owed": {},
        "dead letters": dict(broken), "commits without a check run": 0, "commits with two": 0,
    }  # fmt: skip


def _good() -> list[int]:
    return [run for run in range(_FIRST_RUN, _FIRST_RUN + RUNS) if not _broken(run)]


def _why(error: str) -> str:
    return next((kind for kind, (_, word) in BROKEN.items() if word in error), error)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

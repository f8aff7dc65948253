"""Waits that cost no try, dead letters and what people do with them, and workers that die with a job."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import failing, outbox, retry_policy, runner
from flakeguard.worker.bull import Queue
from flakeguard.worker.dead_letters import Cause, bury, count_dead_letters, dead_letters, discard, retry
from flakeguard.worker.errors import RetryLater
from flakeguard.worker.health import worker_health
from flakeguard.worker.jobs import PROCESS_RUN
from flakeguard.worker.operating import commanding
from flakeguard.worker.operating.inspecting import failures
from flakeguard.worker.outbox import owe, settle
from flakeguard.worker.processors import Job
from flakeguard.worker.publishing import Kept, Publisher
from flakeguard.worker.queues import INGEST, PREFIX, bullmq_name
from fluxbase.db import Connection
from fluxbase.resources import Addresses, Resources, connect_redis

from ...fluxbase.failure.own_servers import own_home, own_valkey
from .one_processor import only, worker

KEY = f"{PREFIX}:runs-ingest"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_policy, "RETRY_DELAY_MS", 20)


async def owe_one(resources: Resources, job_id: str = "run-1") -> None:
    async with resources.database.transaction() as connection:
        await owe(connection, queue=INGEST, name=PROCESS_RUN, job_id=job_id, data={"a": 1}, correlation_id="c")


async def letters(resources: Resources):
    async with resources.database.transaction() as connection:
        return await dead_letters(connection, INGEST)


async def until_dead(resources: Resources):
    async with asyncio.timeout(20):
        while not (found := await letters(resources)):  # noqa: ASYNC110 -- the state is in the database
            await asyncio.sleep(0.05)
    return found


async def test_a_rate_limit_delays_the_job_and_costs_none_of_its_tries(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []
    done = asyncio.Event()

    async def limited(job: Job) -> Mapping[str, Any]:
        tries.append(job.tries)
        if len(tries) < 8:
            raise RetryLater(0.01, counts=False, message="API rate limit exceeded")
        async with resources.database.transaction() as connection:
            await settle(connection, job.id)
        done.set()
        return {}

    only(monkeypatch, limited)
    await owe_one(resources)
    async with worker(resources, settings):
        async with asyncio.timeout(20):
            await done.wait()
    assert tries == [1] * 8
    assert await letters(resources) == []


@pytest.mark.parametrize("newer", [True, False], ids=["tables of a newer version", "tables of this version"])
async def test_a_missing_column_waits_only_where_the_tables_are_another_versions(
    resources: Resources,
    settings: FlakeGuardSettings,
    owner: Connection,
    monkeypatch: pytest.MonkeyPatch,
    newer: bool,
) -> None:
    """What a newer version moved is done by its workers; a statement of ours that is wrong stays so for every day."""
    tries: list[int] = []
    often = asyncio.Event()

    async def wrong(job: Job) -> Mapping[str, Any]:
        tries.append(job.tries)
        if len(tries) == 6:
            often.set()
        async with resources.database.transaction() as connection:
            await connection.execute("SELECT moved FROM outbox")
        return {}

    if newer:
        await owner.execute("INSERT INTO schema_migrations (version_num) VALUES ('9999')")
    only(monkeypatch, wrong)
    await owe_one(resources)
    async with worker(resources, settings):
        if newer:
            async with asyncio.timeout(20):
                await often.wait()
        else:
            await until_dead(resources)
    assert tries == ([1] * 6 if newer else [1, 2, 3, 4])


async def test_a_full_redis_costs_no_try_and_is_no_health(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At `maxmemory` BullMQ may put a job back, and our count of waits passes, too: it ends them after a day."""
    tries: list[int] = []
    counted: dict[str, str] = {}
    done = asyncio.Event()
    with own_home("full-redis") as home, own_valkey(home) as valkey:
        redis = connect_redis(valkey.url)
        theirs = replace(resources, redis=redis)

        async def waits_while_it_is_full(job: Job) -> Mapping[str, Any]:
            tries.append(job.tries)
            if len(tries) == 1:
                await redis.config_set("maxmemory", 1)
                _, healthy = await worker_health(theirs, settings)
                assert not healthy
                raise RetryLater(0.01, counts=False, message="API rate limit exceeded")
            counted.update(await redis.hgetall(f"{PREFIX}:{bullmq_name(INGEST)}:theirs"))
            done.set()
            return {}

        only(monkeypatch, waits_while_it_is_full)
        await Publisher(redis).publish(INGEST, PROCESS_RUN, {}, job_id="theirs")
        async with worker(theirs, settings), asyncio.timeout(20):
            await done.wait()
            await redis.config_set("maxmemory", 0)
        _, healthy = await worker_health(theirs, settings)
        await redis.aclose()
    assert tries[:2] == [1, 1]
    assert counted["fg:waits"] == "1"
    assert "fg:waits_since" in counted
    assert healthy


async def test_a_job_that_redis_lost_while_it_worked_is_done_all_the_same(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FLUSHDB comes before the wait is written down: what is left must not look like a job that is there already."""
    monkeypatch.setattr(outbox, "ENQUEUE_AGAIN_AFTER", timedelta(seconds=0.3))
    monkeypatch.setattr(outbox, "_LOOK_EVERY_SECONDS", 0.1)
    tries = 0

    async def limited_once(job: Job) -> Mapping[str, Any]:
        nonlocal tries
        tries += 1
        if tries == 1:
            await resources.redis.flushdb()
            raise RetryLater(0.1, counts=False, message="wait")
        async with resources.database.transaction() as connection:
            await settle(connection, job.id)
        return {}

    only(monkeypatch, limited_once)
    await owe_one(resources)
    async with worker(resources, settings), asyncio.timeout(20):
        while tries < 2:  # noqa: ASYNC110 -- a plain number
            await asyncio.sleep(0.05)


async def test_after_a_day_of_waiting_it_is_a_dead_letter(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def limited(_job: Job) -> Mapping[str, Any]:
        raise RetryLater(0.01, counts=False, message="API rate limit exceeded")

    only(monkeypatch, limited)
    monkeypatch.setattr(retry_policy, "MOST_WAITING_SECONDS", 0.3)
    await owe_one(resources)
    async with worker(resources, settings):
        (letter,) = await until_dead(resources)
    assert "API rate limit exceeded" in (letter.error or "")
    assert "in limited" in (letter.stack or "")
    assert (letter.job_id, letter.correlation_id, letter.tries) == ("run-1", "c", 1)


async def test_an_outage_of_ours_waits_until_it_is_over_also_for_the_dead_letter(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL is away when the job is to be buried: it is buried when PostgreSQL is back."""
    away = 3
    real = failing.give_up

    async def unreachable(*arguments: Any) -> None:
        nonlocal away
        away -= 1
        if away >= 0:
            raise ConnectionRefusedError("PostgreSQL is away")
        await real(*arguments)

    async def broken(_job: Job) -> Mapping[str, Any]:
        raise ValueError("broken for good")

    monkeypatch.setattr(failing, "give_up", unreachable)
    only(monkeypatch, broken)
    await Publisher(resources.redis).publish(INGEST, PROCESS_RUN, {}, job_id="theirs")
    async with worker(resources, settings):
        (letter,) = await until_dead(resources)
    assert letter.error == "ValueError: broken for good"
    assert letter.foreign_id == "theirs"  # nobody owed it
    assert letter.tries == 4


async def test_options_of_others_that_mean_nothing_are_ours(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BullMQ cannot compare such a number of attempts, and the job would be begun for ever."""

    async def broken(_job: Job) -> Mapping[str, Any]:
        raise ValueError("broken for good")

    only(monkeypatch, broken)
    queue = Queue(bullmq_name(INGEST), {"connection": resources.redis, "prefix": PREFIX})
    await queue.add(PROCESS_RUN, {}, {"jobId": "theirs", "attempts": "many", "backoff": {"type": "unheard of"}})
    async with worker(resources, settings):
        (letter,) = await until_dead(resources)
    assert (letter.error, letter.tries) == ("ValueError: broken for good", 4)


async def test_people_retry_and_discard_and_it_is_known_who(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, done = True, asyncio.Event()

    async def process(job: Job) -> Mapping[str, Any]:
        if broken:
            raise ValueError("broken")
        async with resources.database.transaction() as connection:
            await settle(connection, job.id)
        done.set()
        return {}

    only(monkeypatch, process)
    for job_id in ("theirs", "others"):
        await Publisher(resources.redis).publish(INGEST, PROCESS_RUN, {}, job_id=job_id)
    async with worker(resources, settings):
        async with asyncio.timeout(20):
            while len(await letters(resources)) < 2:  # noqa: ASYNC110 -- the state is in the database
                await asyncio.sleep(0.05)
        broken = False
        async with resources.database.transaction() as connection:
            assert await count_dead_letters(connection) == {INGEST: 2}
            assert len(await discard(connection, INGEST, "others", actor="ada", reason="not ours")) == 1
            assert len(await retry(connection, INGEST, "theirs", actor="ada")) == 1
        async with asyncio.timeout(20):
            await done.wait()
    async with resources.database.transaction() as connection:
        assert await dead_letters(connection) == []
        acts = await connection.fetch("SELECT act, actor, reason, error FROM dead_letter_acts ORDER BY id DESC")
    assert [tuple(act) for act in acts] == [
        ("retried", "ada", None, "ValueError: broken"),
        ("discarded", "ada", "not ours", "ValueError: broken"),
    ]


async def test_what_others_added_is_retried_and_discarded_once(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def process(_job: Job) -> Mapping[str, Any]:
        raise ValueError("broken")

    only(monkeypatch, process)
    for job_id in ("theirs", "others", "more"):
        await Publisher(resources.redis).publish(INGEST, PROCESS_RUN, {}, job_id=job_id)
    async with worker(resources, settings), asyncio.timeout(20):
        while await resources.redis.zcard(f"{KEY}:failed") < 3:  # noqa: ASYNC110 -- the state is in Redis
            await asyncio.sleep(0.05)
    ours = {letter.foreign_id: letter.job_id for letter in await letters(resources)}
    await commanding.retry(resources, INGEST, ours["theirs"], actor="ada")
    await commanding.discard(resources, INGEST, ours["others"], actor="ada")
    assert [seen.id for seen in await failures(resources, INGEST)] == [ours["more"]]
    assert await commanding.retry_failed(resources, INGEST, actor="ada") == 1
    assert await failures(resources, INGEST) == []
    assert await commanding.retry_failed(resources, INGEST, actor="ada") == 0


async def test_whatever_others_put_on_a_queue_becomes_a_dead_letter(resources: Resources) -> None:
    odd: dict[str, Any] = {"priority": [], "a\0": ["\ud800", "\0", float("inf"), {"b": 1.5}]}
    async with resources.database.transaction() as connection:
        await bury(
            connection, INGEST, "7", Cause.of("half \ud800", "\0", 1), name="no\0name", data=odd, added_ms=1,
            now=resources.now(),
        )  # fmt: skip
    (letter,) = await letters(resources)
    assert (letter.name, letter.error, letter.priority) == ("no�name", "half ?", "normal")
    assert letter.data == {"priority": [], "a�": ["?", "�", None, {"b": 1.5}]}


async def test_ended_jobs_are_kept_to_the_configured_numbers(
    resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0
    all_done = asyncio.Event()

    async def process(_job: Job) -> Mapping[str, Any]:
        nonlocal count
        count += 1
        if count == 8:
            all_done.set()
        return {}

    only(monkeypatch, process)
    few = settings.model_copy(update={"remove_on_complete": 3})
    publisher = Publisher(resources.redis, Kept.by(few))
    for number in range(8):
        await publisher.publish(INGEST, PROCESS_RUN, {}, job_id=f"run-{number}")
    async with worker(resources, few):
        async with asyncio.timeout(20):
            await all_done.wait()
    assert await resources.redis.zcard(f"{KEY}:completed") == 3


_DIES = """
import asyncio, sys
from bullmq import Worker
from fluxbase.resources import connect_redis

async def main():
    async def hold(job, token):
        print("holds", flush=True)
        await asyncio.sleep(600)
    worker = Worker("runs-ingest", hold, {"connection": connect_redis(sys.argv[1]), "prefix": "{bull}",
                                          "autorun": False, "lockDuration": 1000})
    await worker.run()

asyncio.run(main())
"""


async def test_a_job_of_a_worker_that_was_killed_is_taken_over(
    addresses: Addresses, resources: Resources, settings: FlakeGuardSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dead one's lock is of 1 s, not 30 s, and looked for as much more often; how long ours are is no matter."""
    taken = asyncio.Event()

    async def process(job: Job) -> Mapping[str, Any]:
        assert job.stalled == 1
        taken.set()
        return {}

    only(monkeypatch, process)
    monkeypatch.setattr(runner, "STALLED_JOB_TIMEOUT_MS", 60_000)
    monkeypatch.setattr(runner, "STALLED_CHECK_MS", 200)
    await Publisher(resources.redis).publish(INGEST, PROCESS_RUN, {}, job_id="run-1")
    process_of_another = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _DIES, addresses.redis_url, stdout=asyncio.subprocess.PIPE
    )
    assert process_of_another.stdout is not None
    async with asyncio.timeout(20):
        assert await process_of_another.stdout.readline() == b"holds\n"
    os.kill(process_of_another.pid, signal.SIGKILL)
    await process_of_another.wait()
    async with worker(resources, settings):
        async with asyncio.timeout(20):
            await taken.wait()

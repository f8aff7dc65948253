"""`flakeguard worker queues` on real servers: what each command says, does and ends with."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest
from click.testing import Result

from flakeguard.worker.operating.inspecting import bull_queue
from fluxbase.db import Connection
from fluxbase.resources import Addresses, Resources

type Command = Callable[..., Awaitable[Result]]

QUEUES = ["runs:ingest", "runs:analyze", "tests:recompute", "polling"]


@pytest.fixture
def queues(addresses: Addresses, run: Callable[..., Result]) -> Command:
    """Run the command line against the test's own servers."""
    environment = {
        "FG_DATABASE_DSN": addresses.runtime_dsn,
        "FG_DATABASE_OWNER_DSN": addresses.owner_dsn,
        "FG_JWT_SECRET": addresses.secret,
        "REDIS_URL": addresses.redis_url,
    }
    return lambda *arguments, typed=None: asyncio.to_thread(
        run, ["worker", "queues", *arguments], env=environment, input=typed
    )


@pytest.fixture
async def given_up(owner: Connection) -> None:
    """Two dead letters of one queue, and one of another."""
    for job_id, queue in (("one", "runs:ingest"), ("two", "runs:ingest"), ("three", "runs:analyze")):
        await owner.execute(
            "INSERT INTO outbox (queue, name, job_id, data, dead_at, error)"
            " VALUES ($2, 'process-upload', $1, '{}', now(), 'it is broken\nin two lines')",
            job_id, queue,
        )  # fmt: skip


async def dead(owner: Connection) -> set[str]:
    return {row["job_id"] for row in await owner.fetch("SELECT job_id FROM outbox WHERE dead_at IS NOT NULL")}


async def test_stats_count_every_queue(queues: Command, resources: Resources, given_up: None) -> None:
    await bull_queue(resources.redis, "runs:ingest").add("process-upload", {}, {"jobId": "theirs"})
    everything = json.loads((await queues("stats", "--json")).stdout)
    assert [one["name"] for one in everything] == QUEUES
    assert {"waiting": 1, "deadLetters": 2, "paused": False}.items() <= everything[0].items()
    table = (await queues("stats", "runs-ingest")).stdout.splitlines()
    assert table[0].split() == ["queue", "waiting", "active", "delayed", "completed", "failed", "dead", "letters"]
    assert table[1].split() == ["runs:ingest", "1", "0", "0", "0", "0", "2"]
    assert len(table) == 2


async def test_list_and_show_say_what_a_job_is(queues: Command, resources: Resources, given_up: None) -> None:
    await bull_queue(resources.redis, "runs:ingest").add("process-upload", {"ingestionId": "7"}, {"jobId": "theirs"})
    waiting = await queues("list", "runs:ingest", "--state", "waiting")
    assert waiting.stdout.split() == ["waiting", "process-upload", "theirs", "1", "job"]
    failed = await queues("list", "runs:ingest", "--state", "failed")
    assert failed.stdout.count("    it is broken\n") == 2
    assert failed.stdout.endswith("2 jobs\n")
    assert len(json.loads((await queues("list", "runs:ingest", "--limit", "1", "--json")).stdout)) == 1
    assert json.loads((await queues("show", "runs:ingest", "theirs")).stdout)["data"] == {"ingestionId": "7"}
    assert json.loads((await queues("show", "runs:ingest", "one")).stdout)["state"] == "failed"


async def test_one_or_all_are_tried_again(queues: Command, owner: Connection, given_up: None) -> None:
    assert (await queues("retry", "runs:ingest", "one")).stdout == "one will be tried again\n"
    assert await dead(owner) == {"two", "three"}
    assert json.loads((await queues("retry-all", "runs:ingest", "--json")).stdout) == {"retried": 1}
    assert await dead(owner) == {"three"}, "another queue's stay"
    assert (await queues("retry-all", "runs:analyze")).stdout == "1 job will be tried again\n"


async def test_discarding_asks_and_is_kept(queues: Command, owner: Connection, given_up: None) -> None:
    unasked = await queues("discard", "runs:ingest", "one")
    assert unasked.exit_code == 2, "nobody is there to be asked"
    assert await dead(owner) == {"one", "two", "three"}
    assert (await queues("discard", "runs:ingest", "one", "--yes")).exit_code == 0
    assert await dead(owner) == {"two", "three"}
    act = await owner.fetchrow("SELECT * FROM dead_letter_acts")
    assert act is not None
    assert {"job_id": "one", "actor": "the command line"}.items() <= dict(act).items()


async def test_a_queue_is_paused_and_goes_on(queues: Command, resources: Resources) -> None:
    queue = bull_queue(resources.redis, "polling")
    assert (await queues("pause", "polling")).stdout == "polling is paused\n"
    assert await queue.isPaused()
    assert "polling (paused)" in (await queues("stats")).stdout
    assert (await queues("resume", "polling")).stdout == "polling goes on\n"
    assert not await queue.isPaused()


async def test_what_was_done_is_told_to_machines(queues: Command, given_up: None) -> None:
    """As the queue API tells it."""
    done = [
        await queues(*words, "--json")
        for words in (
            ("retry", "runs:ingest", "one"), ("discard", "runs:ingest", "two", "--yes"),
            ("pause", "polling"), ("resume", "polling"),
        )
    ]  # fmt: skip
    assert [json.loads(one.stdout) for one in done] == [
        {"retried": 1}, {"discarded": 1}, {"paused": True}, {"paused": False},
    ]  # fmt: skip


async def test_what_is_enqueued_is_owed(queues: Command, owner: Connection) -> None:
    data = json.dumps({"ingestionId": str(uuid4())})
    for arguments, typed in (((data,), None), (("-",), data)):
        made = await queues("enqueue", "runs:ingest", "process-upload", *arguments, "--json", typed=typed)
        job_id = json.loads(made.stdout)["id"]
        owed = await owner.fetchval("SELECT data ->> 'ingestionId' FROM outbox WHERE job_id = $1", job_id)
        assert owed == json.loads(data)["ingestionId"]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "told"),
    [
        (("stats", "nothing"), 3, "There is no queue 'nothing'; there are runs:ingest"),
        (("list", "polling", "--state", "lost"), 2, "Jobs have no state 'lost'; there are waiting"),
        (("show", "polling", "nobody"), 3, "polling holds no job 'nobody'"),
        (("retry", "polling", "nobody"), 3, "No job 'nobody' has failed in polling"),
        (("discard", "polling", "nobody", "--yes"), 3, "No job 'nobody' has failed in polling"),
        (("enqueue", "runs:ingest", "process-upload", "{"), 2, "the data are not JSON"),
        (("enqueue", "runs:ingest", "process-upload", "{}"), 2, "data.ingestionId: Field required"),
        (("enqueue", "runs:ingest", "dance", "{}"), 2, "dance"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
async def test_mistakes_end_with_what_was_wrong(
    queues: Command, arguments: tuple[str, ...], exit_code: int, told: str
) -> None:
    result = await queues(*arguments)
    assert result.exit_code == exit_code
    assert told in result.stderr


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
async def test_a_redis_that_is_away_is_said_in_a_line(
    addresses: Addresses, run: Callable[..., Result], unused_port: int, scheme: str
) -> None:
    environment = {
        "FG_DATABASE_DSN": addresses.runtime_dsn, "FG_DATABASE_OWNER_DSN": addresses.owner_dsn,
        "FG_JWT_SECRET": addresses.secret, "REDIS_URL": f"{scheme}://:hidden@127.0.0.1:{unused_port}",
    }  # fmt: skip
    result = await asyncio.to_thread(run, ["worker", "queues", "stats"], env=environment)
    assert result.exit_code == 5, result.output
    assert "error: Redis cannot be used (ConnectionError" in result.stderr
    assert "hidden" not in result.output
    assert "Traceback" not in result.output

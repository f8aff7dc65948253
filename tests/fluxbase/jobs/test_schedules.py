"""A due time makes one job, however many workers look; what was missed is made up for once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from fluxbase.jobs import Functions, Job, JobStatus
from fluxbase.jobs.cron import latest_due, next_due
from fluxbase.jobs.errors import UnreadableScheduleError
from fluxbase.jobs.scheduling import declare_schedules, enable_schedule, submit_due

from .conftest import Jobs

EVERY_SECOND = "* * * * * *"


async def test_two_workers_run_each_due_time_once(jobs: Jobs) -> None:
    runs: list[str] = []
    enough = asyncio.Event()

    @jobs.functions.function("tick")
    async def tick(job: Job) -> None:
        runs.append(str(job.id))
        if len(runs) == 3:
            enough.set()

    jobs.functions.schedule("every-second", function="tick", cron=EVERY_SECOND)
    await jobs.start(name="one")
    await jobs.start(name="two")
    async with asyncio.timeout(30):
        await enough.wait()
    rows = await jobs.sql(
        "SELECT array_agg(scheduled_at ORDER BY scheduled_at) FROM jobs.jobs WHERE schedule = 'every-second'"
    )
    assert len(rows) >= 3
    assert set(Counter(rows).values()) == {1}
    assert len(runs) == len(set(runs))


@pytest.mark.pg16
async def test_what_was_missed_is_made_up_for_once(jobs: Jobs) -> None:
    @jobs.functions.function("nightly")
    async def nightly(_job: Job) -> None: ...

    jobs.functions.schedule("night", function="nightly", cron="0 3 * * *", payload={"full": True})
    async with jobs.resources.database.transaction() as connection:
        await declare_schedules(connection, jobs.functions, datetime.now(UTC))
        await connection.execute("UPDATE jobs.schedules SET next_run_at = date_trunc('day', now()) - interval '9 days'")

    async def look() -> int:
        async with jobs.resources.database.transaction() as connection:
            return await submit_due(connection, jobs.functions)

    assert sum(await asyncio.gather(*(look() for _ in range(6)))) == 1
    now = datetime.now(UTC)
    assert await jobs.sql("SELECT count(*) FROM jobs.jobs") == 1
    due = await jobs.sql("SELECT scheduled_at FROM jobs.jobs")
    assert timedelta(0) <= now - due < timedelta(days=1)
    assert due.hour == 3
    assert await jobs.sql("SELECT payload FROM jobs.jobs") == {"full": True}
    assert await jobs.sql("SELECT next_run_at - last_run_at FROM jobs.schedules") == timedelta(days=1)


async def test_a_schedule_that_stands_keeps_its_time_until_its_cron_changes(jobs: Jobs) -> None:
    async def declare(cron: str, payload: dict[str, int]) -> datetime:
        functions = Functions()
        functions.function("f")(_nothing)
        functions.schedule("s", function="f", cron=cron, payload=payload)
        async with jobs.resources.database.transaction() as connection:
            await declare_schedules(connection, functions, datetime.now(UTC))
            return await connection.fetchval("SELECT next_run_at FROM jobs.schedules")

    await declare("0 3 * * *", {})
    missed = await jobs.sql("UPDATE jobs.schedules SET next_run_at = now() - interval '1 day' RETURNING next_run_at")
    assert await declare("0 3 * * *", {"new": 1}) == missed
    assert await jobs.sql("SELECT payload FROM jobs.schedules") == {"new": 1}
    assert await declare("0 4 * * *", {"new": 1}) > datetime.now(UTC)


async def _nothing(_job: Job) -> None: ...


async def test_a_schedule_that_is_off_does_not_run_and_makes_up_for_nothing(jobs: Jobs) -> None:
    jobs.functions.function("f")(_nothing)
    jobs.functions.schedule("s", function="f", cron="0 3 * * *", at_once=True)
    async with jobs.resources.database.transaction() as connection:
        await declare_schedules(connection, jobs.functions, datetime.now(UTC) - timedelta(days=3))
        await enable_schedule(connection, "s", enabled=False)
        assert await submit_due(connection, jobs.functions) == 0
        row = await enable_schedule(connection, "s", enabled=True)
        assert row is not None
        assert row["next_run_at"] > datetime.now(UTC)
        assert await submit_due(connection, jobs.functions) == 0
        assert await enable_schedule(connection, "none", enabled=True) is None


async def test_a_schedule_of_a_function_that_nobody_has_waits(jobs: Jobs) -> None:
    gone = Functions()
    gone.function("gone")(_nothing)
    gone.schedule("old", function="gone", cron="0 3 * * *", at_once=True)
    jobs.functions.function("here")(_nothing)
    async with jobs.resources.database.transaction() as connection:
        await declare_schedules(connection, gone, datetime.now(UTC) - timedelta(seconds=1))
        assert await submit_due(connection, jobs.functions) == 0
        assert await submit_due(connection, gone) == 1


@pytest.mark.parametrize(
    ("cron", "time_zone"),
    [("nonsense", "UTC"), ("0 0 30 2 *", "UTC"), ("", "UTC"), ("0 3 * * *", "Mars/Olympus"), ("0 3 * * *", "../x")],
)
def test_what_cannot_be_read_is_refused_in_one_way(cron: str, time_zone: str) -> None:
    now = datetime.now(UTC)
    with pytest.raises(ValueError, match="is no"):
        next_due(cron, time_zone, now)
    with pytest.raises(ValueError, match="is no"):
        latest_due(cron, time_zone, now, now)


@pytest.mark.parametrize(("column", "value"), [("cron", "nonsense"), ("time_zone", "Mars/Olympus")])
async def test_a_schedule_that_cannot_be_read_is_marked_and_holds_up_nothing(
    jobs: Jobs, column: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    jobs.functions.function("f")(_nothing)
    for name in ("bad", "good"):
        jobs.functions.schedule(name, function="f", cron="0 3 * * *")
    await jobs.start()
    await jobs.sql(f"UPDATE jobs.schedules SET {column} = $1 WHERE name = 'bad'", value)
    await jobs.sql("UPDATE jobs.schedules SET next_run_at = now() - interval '1 second'")
    # Claiming goes on, and so does the other schedule.
    assert (await jobs.ended(await jobs.submit("f"))).status is JobStatus.COMPLETED
    assert await jobs.sql("SELECT count(*) FROM jobs.jobs WHERE schedule = 'good'") == 1
    assert await jobs.sql("SELECT error FROM jobs.schedules WHERE name = 'good'") is None
    assert value in await jobs.sql("SELECT error FROM jobs.schedules WHERE name = 'bad'")
    assert caplog.text.count("schedule cannot be read") == 1
    # Once repaired it runs, without being told.
    await jobs.sql("UPDATE jobs.schedules SET cron = '0 4 * * *', time_zone = 'UTC' WHERE name = 'bad'")
    async with asyncio.timeout(20):  # by the worker, or by us
        while await jobs.sql("SELECT count(*) FROM jobs.jobs WHERE schedule = 'bad'") != 1:
            async with jobs.resources.database.transaction() as connection:
                await submit_due(connection, jobs.functions)
    assert await jobs.sql("SELECT error FROM jobs.schedules WHERE name = 'bad'") is None


async def test_a_schedule_that_cannot_be_read_is_not_switched_on(jobs: Jobs) -> None:
    jobs.functions.function("f")(_nothing)
    jobs.functions.schedule("s", function="f", cron="0 3 * * *")
    async with jobs.resources.database.transaction() as connection:
        await declare_schedules(connection, jobs.functions, datetime.now(UTC))
        await connection.execute("UPDATE jobs.schedules SET cron = 'nonsense', enabled = false")
        with pytest.raises(UnreadableScheduleError, match="nonsense"):
            await enable_schedule(connection, "s", enabled=True)

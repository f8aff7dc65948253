"""Schedules: declared by workers, run by whichever looks first. A due time makes one job, however many look."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
import structlog

from fluxbase.db import Connection
from fluxbase.jobs.cron import latest_due, next_due
from fluxbase.jobs.errors import UnreadableScheduleError
from fluxbase.jobs.functions import Functions
from fluxbase.jobs.repository import SQL

logger = structlog.get_logger(__name__)


async def declare_schedules(connection: Connection, functions: Functions, now: datetime) -> None:
    """Make or change the rows of these schedules. One that stands keeps its next time unless its cron changed."""
    wanted = sorted(functions.schedules, key=lambda schedule: schedule.name)
    await connection.execute(
        SQL["declare_schedules"],
        [schedule.name for schedule in wanted],
        [schedule.function for schedule in wanted],
        [schedule.cron for schedule in wanted],
        [schedule.time_zone for schedule in wanted],
        [schedule.payload for schedule in wanted],
        [now if schedule.at_once else next_due(schedule.cron, schedule.time_zone, now) for schedule in wanted],
    )


async def submit_due(connection: Connection, functions: Functions) -> int:
    """Submit a job for each schedule of a known function that is due; how many.

    Rows are locked and moved on in the transaction that submits, so a due time is nobody else's. Of several times that
    passed while no worker was up, only the latest is made up for. One that somebody has made unreadable is marked with
    its error, once, and left alone until its expression or zone changes.
    """
    submitted = 0
    for row in await connection.fetch(SQL["due_schedules"], functions.names):
        try:
            due = latest_due(row["cron"], row["time_zone"], row["next_run_at"], row["now"])
            following = next_due(row["cron"], row["time_zone"], row["now"])
        except ValueError as error:
            await connection.execute(SQL["mark_schedule"], row["name"], str(error))
            logger.error("schedule cannot be read", schedule=row["name"], error=str(error))  # noqa: TRY400 -- says all
            continue
        await _submit(connection, row, functions[row["function"]].max_attempts, due)
        await connection.execute(SQL["advance_schedule"], row["name"], due, following)
        submitted += 1
    return submitted


async def _submit(connection: Connection, row: asyncpg.Record, max_attempts: int, due: datetime) -> None:
    name, function = row["name"], row["function"]
    await connection.execute(
        SQL["submit_scheduled"], function, row["payload"], max_attempts, due, name, due.isoformat()
    )
    logger.info("schedule due", schedule=name, function=function, due=due.isoformat())


async def list_schedules(connection: Connection) -> list[Mapping[str, Any]]:
    """Every schedule, by name."""
    return [dict(row) for row in await connection.fetch(SQL["list_schedules"])]


async def enable_schedule(connection: Connection, name: str, *, enabled: bool) -> Mapping[str, Any] | None:
    """Let a schedule run, or not. What fell due while it was off is not made up for. None when there is none.

    Raises:
        UnreadableScheduleError: 409, its cron expression or time zone is none.
    """
    found = await connection.fetchrow(SQL["find_schedule"], name)
    if found is None:
        return None
    again = enabled and not found["enabled"]
    try:
        next_run_at = next_due(found["cron"], found["time_zone"], found["now"]) if again else None
    except ValueError as error:
        raise UnreadableScheduleError(f"The schedule {name} cannot run: {error}") from error
    row = await connection.fetchrow(SQL["enable_schedule"], name, enabled, next_run_at)
    return dict(row) if row else None

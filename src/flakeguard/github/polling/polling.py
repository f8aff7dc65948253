"""`discover` owes a look at repositories that are due; `poll-repository` lists their runs and owes what is new.

A run is owed by whoever is first to hear of its end, a webhook or a look: the row of `github_runs` says that it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from flakeguard.github.artifacts.fetching import as_noted
from flakeguard.github.artifacts.source import Source
from flakeguard.github.facts import Run, WorkflowRun
from flakeguard.github.installations.repository import KnownRepository
from flakeguard.github.polling.pace import (
    DEAD_RESTS,
    LONGEST_APPROVAL,
    created_since,
    due_before,
    next_cursor,
    wait_after,
)
from flakeguard.github.webhooks import owing, repository
from flakeguard.github.webhooks.priorities import priority_of, ran_nothing, waits_for_approval
from flakeguard.worker.dead_letters import retry
from flakeguard.worker.errors import RetryLater
from flakeguard.worker.jobs import POLL_REPOSITORY, PollRepositoryJobData
from flakeguard.worker.outbox import owe, settle
from flakeguard.worker.queues import POLLING
from fluxbase.db import Connection, Database, load

logger = structlog.get_logger(__name__)
_SQL = load(__package__)

_MOST_ETAGS = 10
"""GitHub shows the newest 1,000 runs, by the hundred."""
_KNOWN = ("id", "installation_id", "full_name", "default_branch", "private", "project_id", "removed_at")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often each repository is looked at, and how many looks are under way at once."""

    interval: timedelta = timedelta(minutes=5)
    batch_size: int = 10


async def discover(database: Database, *, job_id: str | None, pace: Pace, now: datetime) -> int:
    """Owe a look at repositories that are due, as many as may be under way beside those that are; how many."""
    async with database.transaction() as connection:
        found = await _top_up(connection, pace, now)
        if job_id is not None:
            await settle(connection, job_id)
    return found


async def _top_up(connection: Connection, pace: Pace, now: datetime) -> int:
    await connection.execute(_SQL["lock_discovery"])  # two that count at once would owe twice as many
    room = pace.batch_size - await connection.fetchval(_SQL["under_way"])
    if room <= 0:
        return 0
    due = await connection.fetch(_SQL["due"], due_before(now, pace.interval), now, room, now - DEAD_RESTS)
    for (repository_id,) in due:
        job_id = f"poll-{repository_id}"
        data = PollRepositoryJobData(repository_id=repository_id, correlation_id=f"{job_id}-{now:%Y%m%dT%H%M%S}")
        await retry(
            connection, POLLING, job_id, actor="polling"
        )  # where it is a dead letter; that stays among the acts
        await owe(
            connection, queue=POLLING, name=POLL_REPOSITORY, job_id=job_id, data=data.to_json(),
            correlation_id=data.correlation_id, priority="low",
        )  # fmt: skip
    return len(due)


async def poll_repository(
    database: Database,
    source_of: Callable[[int], Source],
    data: PollRepositoryJobData,
    *,
    job_id: str,
    pace: Pace,
    now: Callable[[], datetime],
    random: Callable[[], float],
) -> Mapping[str, Any]:
    """Owe the completed runs of a repository that nobody told of; what Bull Board shows.

    A repository that cannot be listed rests longer each time. When GitHub takes no more calls, all of the installation
    rest until it does. Neither is a failure of the job: the next look is due by itself.
    """
    async with database.transaction() as connection:
        row = await connection.fetchrow(_SQL["repository"], data.repository_id)
        if row is None:
            await settle(connection, job_id)
            return {"polled": False, "reason": "no project gets its results any more"}
    try:
        seen, owed = await _look(database, source_of, row, data, pace=pace, job_id=job_id, now=now)
    except RetryLater as error:
        until = await _put_off(database, row, error, job_id=job_id, pace=pace, now=now(), random=random())
        logger.warning("polling rests", repository=row["full_name"], until=until.isoformat(), error=str(error))
        return {"polled": False, "reason": str(error), "until": until.isoformat()}
    return {"polled": True, "runsSeen": seen, "runsOwed": owed}


async def _look(
    database: Database,
    source_of: Callable[[int], Source],
    row: Any,
    data: PollRepositoryJobData,
    *,
    pace: Pace,
    job_id: str,
    now: Callable[[], datetime],
) -> tuple[int, int]:
    known = KnownRepository(**{name: row[name] for name in _KNOWN})
    owner, _, repo = known.full_name.partition("/")
    since = created_since(row["poll_cursor"], now())
    created, owed, etags = list[datetime](), 0, list[str]()
    async for page in source_of(known.installation_id).runs(owner, repo, since, row["etags"]):
        etags.append(page.etag or "")
        created += [run.created_at for run in page.runs]
        async with database.transaction() as connection:
            for run in sorted(page.runs, key=lambda run: (run.id, run.attempt)):
                owed += await _hear_of(connection, known, run, data.correlation_id or job_id)
    async with database.transaction() as connection:
        waiting = await connection.fetchval(_SQL["oldest_waiting"], known.id, now() - LONGEST_APPROVAL)
        cursor = next_cursor(row["poll_cursor"], created, now(), waiting)
        await connection.execute(_SQL["polled"], known.id, cursor, etags[:_MOST_ETAGS], now())
        await settle(connection, job_id)
        await _top_up(connection, pace, now())
    return len(created), owed


async def _hear_of(connection: Connection, known: KnownRepository, run: WorkflowRun, cause: str) -> int:
    """Keep what is told of a run and owe it, unless that was done; how many of its attempts were new.

    GitHub lists the latest attempt alone. Those before it are over too, and may be what nobody told of.
    """
    told = [as_noted(run, number) for number in range(1, run.attempt + 1)]
    return sum([await _hear_of_attempt(connection, known, attempt, cause) for attempt in told])


async def _hear_of_attempt(connection: Connection, known: KnownRepository, told: Run, cause: str) -> bool:
    state = await repository.note_run(connection, known.id, told)  # locks the row: a webhook waits, or was first
    if not told.completed or waits_for_approval(told) or state is not None:
        return False
    if ran_nothing(told):
        await repository.set_run_state(connection, known.id, told, "empty")
        return False
    await owing.owe_run(connection, known, told, priority=priority_of(told, known.default_branch), cause=cause)
    await repository.set_run_state(connection, known.id, told, "owed")
    return True


async def _put_off(
    database: Database, row: Any, error: RetryLater, *, job_id: str, pace: Pace, now: datetime, random: float
) -> datetime:
    limited = not error.counts
    until = now + (
        timedelta(seconds=error.seconds)
        if error.seconds is not None
        else wait_after(row["poll_failures"] + 1, pace.interval, random)
    )
    async with database.transaction() as connection:
        if limited:  # no fault of the repository's
            await connection.execute(_SQL["rest_installation"], row["installation_id"], until)
        else:
            await connection.execute(_SQL["put_off"], row["id"], now, until)
        await settle(connection, job_id)
        await _top_up(connection, pace, now)
    return until

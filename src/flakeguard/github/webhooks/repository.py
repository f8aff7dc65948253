"""Deliveries, and what they tell of runs and pull requests, in the database. Takes the connection, never commits."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from flakeguard.github.facts import Run
from flakeguard.github.webhooks.notices import Delivery, PullTold
from fluxbase.db import Connection, load

SQL = load(__package__)

type State = Literal["received", "done", "ignored", "failed", "unbound"]
"""`received`: work is owed for it; `unbound`: kept until somebody binds the installation."""

type RunState = Literal["owed", "stored", "empty", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery: `job_id` is what it owes while it is `received`."""

    state: State
    job_id: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery as it was kept; `body` is the raw body, empty where nothing would ever be done with it."""

    guid: str
    event: str
    installation_id: int | None
    body: bytes
    state: State
    job_id: str | None


@dataclass(frozen=True, slots=True)
class ListedDelivery:
    """A delivery as the GitHub page lists it. Its state follows the job that it owes."""

    guid: str
    event: str
    action: str | None
    repository_id: int | None
    received_at: datetime
    state: State
    job_id: str | None
    error: str | None
    attempts: int
    full_name: str | None

    @property
    def repeatable(self) -> bool:
        """Whether doing it again could change something."""
        return self.state in ("done", "failed", "ignored") and not (self.error or "").startswith("nothing is done on")

    @property
    def pending(self) -> bool:
        """Whether something more will become known by itself."""
        return self.state == "received"


@dataclass(frozen=True, slots=True)
class KnownRun:
    """An attempt of a workflow run that left results, or will have."""

    workflow_run_id: int
    run_attempt: int
    conclusion: str | None


async def store(
    connection: Connection, guid: str, event: str, told: Delivery | None, body: bytes, now: datetime
) -> tuple[Outcome, bool]:
    """Keep a delivery; what became of it so far, and whether it is new. The same id waits here for the other's end."""
    row = await connection.fetchrow(
        SQL["store_delivery"], guid, event, told.action if told else None, told.installation_id if told else None,
        told.repository.id if told and told.repository else None, _packed(body), now,
    )  # fmt: skip
    assert row is not None  # noqa: S101 -- INSERT … DO UPDATE … RETURNING gives a row or raises
    return Outcome(row["state"], row["job_id"]), row["attempts"] == 1


async def keep_body(connection: Connection, guid: str, told: Delivery, body: bytes) -> None:
    """Take what a redelivery brought in place of what could not be worked with."""
    repository_id = told.repository.id if told.repository else None
    await connection.execute(SQL["keep_body"], guid, _packed(body), told.action, told.installation_id, repository_id)


def _packed(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=1) if body else b""


def _stored(row: object) -> StoredDelivery:
    found = StoredDelivery(**row)  # pyright: ignore[reportCallIssue] -- a record is a mapping
    return replace(found, body=gzip.decompress(found.body) if found.body else b"")


async def settle_delivery(connection: Connection, guid: str, outcome: Outcome) -> None:
    """Say what became of a delivery."""
    await connection.execute(SQL["set_outcome"], guid, outcome.state, outcome.job_id, outcome.error)


async def find_delivery(connection: Connection, guid: str) -> StoredDelivery | None:
    """The delivery, locked."""
    row = await connection.fetchrow(SQL["find_delivery"], guid)
    return _stored(row) if row else None


async def next_unbound(connection: Connection, installation_id: int, most: int) -> list[StoredDelivery]:
    """The oldest that wait for a binding, locked."""
    return [_stored(row) for row in await connection.fetch(SQL["next_unbound"], installation_id, most)]


async def list_deliveries(
    connection: Connection, organization_id: int, *, limit: int, offset: int
) -> tuple[list[ListedDelivery], int]:
    """Deliveries of an organisation's installations, newest first, in the state they were left in; and their number."""
    rows = await connection.fetch(SQL["list_deliveries"], organization_id, limit, offset)
    total = await connection.fetchval(SQL["count_deliveries"], organization_id)
    return [ListedDelivery(**row) for row in rows], total


async def delivery_organization(connection: Connection, guid: str) -> int | None:
    """The organisation whose delivery it is; None while it is nobody's, or there is none."""
    return await connection.fetchval(SQL["delivery_organization"], guid)


async def jobs_of(connection: Connection, job_ids: Sequence[str]) -> dict[str, tuple[bool, str | None]]:
    """Which of these jobs are still owed: whether each is dead, and why."""
    rows = await connection.fetch(SQL["jobs_of_deliveries"], list(job_ids))
    return {row["job_id"]: (row["dead"], row["error"]) for row in rows}


async def note_run(connection: Connection, repository_id: int, run: Run) -> RunState | None:
    """Keep what is told of a run; its state so far, None while nothing was owed for it."""
    return await connection.fetchval(
        SQL["note_run"], repository_id, run.id, run.attempt, run.head_sha, run.head_branch, run.event,
        list(run.pr_numbers), run.workflow_name, run.run_number, run.html_url, run.status, run.conclusion,
        run.run_started_at,
    )  # fmt: skip


async def set_run_state(connection: Connection, repository_id: int, run: Run, state: RunState) -> None:
    """Say how far a run's results came."""
    await connection.execute(SQL["set_run_state"], repository_id, run.id, run.attempt, state)


async def runs_of_commit(connection: Connection, repository_id: int, head_sha: str) -> list[KnownRun]:
    """The latest attempt of each workflow run of a commit."""
    rows = await connection.fetch(SQL["runs_of_commit"], repository_id, head_sha)
    return [KnownRun(**row) for row in rows]


async def has_check_run(connection: Connection, repository_id: int, head_sha: str) -> bool:
    """Whether we made a check run of a commit: also of one whose results came by upload alone."""
    return await connection.fetchval(SQL["has_check_run"], repository_id, head_sha)


async def put_pull(connection: Connection, repository_id: int, pull: PullTold) -> None:
    """Keep a pull request's head; runs of that commit learn its number."""
    await connection.execute(SQL["put_pull"], repository_id, pull.number, pull.head_sha, pull.open, pull.updated_at)
    await connection.execute(SQL["tell_runs_of_pull"], repository_id, pull.head_sha, pull.number)


async def forget_deliveries(connection: Connection, before: datetime, most: int) -> int:
    """Delete deliveries older than `before` that owe nothing; how many."""
    return int((await connection.execute(SQL["forget_deliveries"], before, most)).rpartition(" ")[2])

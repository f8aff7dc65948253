"""Dead letters: jobs that nobody tries again until a person says so. They are rows of the outbox with cause and stack.

Jobs that others put straight into Redis get a row when they are given up, and are owed like any other when retried.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flakeguard.worker.jobs import Priority
from flakeguard.worker.outbox import revive
from flakeguard.worker.queues import DEFAULT_PRIORITY, PRIORITIES, bullmq_name
from fluxbase.db import Connection, load

_SQL = load(__package__)
_MOST_STACK = 16_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that was given up: what it was, why, and since when. `foreign_id` is BullMQ's id of somebody else's job."""

    job_id: str
    queue: str
    name: str
    data: Mapping[str, Any]
    priority: Priority
    error: str | None
    stack: str | None
    tries: int
    created_at: datetime
    first_failed_at: datetime | None
    dead_at: datetime
    correlation_id: str | None
    foreign_id: str | None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a try failed: one line, and the stack."""

    error: str
    stack: str
    tries: int

    @classmethod
    def of(cls, error: str, stack: str, tries: int) -> "Cause":
        """A cause as PostgreSQL can keep it, and the end of a stack that is endless."""
        return cls(_storable(error), _storable(stack)[-_MOST_STACK:], tries)


async def note_failure(
    connection: Connection, job_id: str, cause: Cause, *, now: datetime, until: datetime | None
) -> None:
    """Keep why an owed job's try failed; the relay leaves it alone `until` then. No-op when it is not owed."""
    await connection.execute(_SQL["note_failure"], job_id, cause.tries, cause.error, cause.stack, now, until)


async def bury(
    connection: Connection,
    queue: str,
    job_id: str,
    cause: Cause,
    *,
    name: str,
    data: Mapping[str, Any],
    added_ms: int,
    now: datetime,
) -> None:
    """Nobody tries this job again until a person says so.

    `added_ms` is when BullMQ got it, which tells apart the jobs of others: their ids begin anew with every Redis.
    """
    job_id = _storable(job_id)
    if await connection.fetchval(_SQL["bury_owed"], job_id, queue, cause.error, cause.stack, cause.tries, now):
        return
    kept = _storable(data)
    told, told_correlation = kept.get("priority"), kept.get("correlationId")
    await connection.execute(
        _SQL["bury_foreign"], queue, _storable(name), f"{bullmq_name(queue)}-{job_id}-{added_ms}", job_id, kept,
        told_correlation if isinstance(told_correlation, str) else None,
        told if isinstance(told, str) and told in PRIORITIES else DEFAULT_PRIORITY, cause.error, cause.stack,
        cause.tries, now,
    )  # fmt: skip


def _storable(told: Any) -> Any:
    """JSON of others without what PostgreSQL cannot keep (NUL, half a surrogate pair, infinite numbers)."""
    match told:
        case str():
            return told.replace("\0", "�").encode("utf-8", "replace").decode()
        case float() if not math.isfinite(told):
            return None
        case Mapping():
            members = cast("Mapping[Any, Any]", told)
            return {_storable(name): _storable(value) for name, value in members.items()}
        case list():
            return [_storable(value) for value in cast("list[Any]", told)]
        case _:
            return told


async def dead_letters(
    connection: Connection, queue: str | None = None, *, offset: int = 0, limit: int = 100
) -> list[DeadLetter]:
    """A page of dead letters (of one queue, or all), newest first."""
    return [DeadLetter(**dict(row)) for row in await connection.fetch(_SQL["dead_letters"], queue, offset, limit)]


async def foreign_ids(connection: Connection, queue: str, job_id: str) -> list[str]:
    """What BullMQ called a dead letter (by our id or BullMQ's) that others had added; nothing for our own."""
    return [row["foreign_id"] for row in await connection.fetch(_SQL["foreign_ids"], queue, job_id)]


async def count_dead_letters(connection: Connection) -> dict[str, int]:
    """How many each queue has; queues without any are left out."""
    return {row["queue"]: row["jobs"] for row in await connection.fetch(_SQL["dead_letter_counts"])}


async def retry(
    connection: Connection, queue: str | None, job_id: str | None = None, *, actor: str, reason: str | None = None
) -> list[str]:
    """Owe dead jobs of a queue (None: of any) again: one (by our id or BullMQ's), or all; the ids owed.

    The act is kept with `actor`.
    An ended job of that id among BullMQ's is replaced when the relay publishes.
    """
    found = await _record(connection, queue, job_id, "retried", actor, reason)
    for one in found:
        await revive(connection, one)
    return found


async def discard(
    connection: Connection, queue: str | None, job_id: str | None = None, *, actor: str, reason: str | None = None
) -> list[str]:
    """Give dead jobs of a queue (None: of any) up for ever; the ids. What they were and why stays in the acts."""
    found = await _record(connection, queue, job_id, "discarded", actor, reason)
    for one in found:
        await connection.execute(_SQL["settle"], one)
    return found


async def _record(
    connection: Connection, queue: str | None, job_id: str | None, act: str, actor: str, reason: str | None
) -> list[str]:
    rows = await connection.fetch(_SQL["lock_dead"], queue, job_id)
    for row in rows:
        await connection.execute(
            _SQL["record_act"], row["job_id"], row["queue"], row["name"], row["data"], row["error"], act, actor, reason
        )
    return [row["job_id"] for row in rows]

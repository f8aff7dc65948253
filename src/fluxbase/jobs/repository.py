"""Jobs and functions in the database, for those who submit and look. Takes the connection, never commits."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from fluxbase.db import Connection, load
from fluxbase.jobs.functions import Functions
from fluxbase.jobs.model import DeclaredFunction, JobStatus, NewJob, StoredJob

SQL = load(__package__)


async def declare_functions(connection: Connection, functions: Functions) -> None:
    """Say which functions workers of this version run, for those who check what is submitted."""
    declared = sorted(functions, key=lambda function: function.name)
    await connection.execute(
        SQL["declare_functions"],
        [function.name for function in declared],
        [",".join(sorted(function.callable_by | {"service_role"})) for function in declared],
        [function.max_attempts for function in declared],
    )


async def find_function(connection: Connection, name: str) -> DeclaredFunction | None:
    """What workers said of a function; for anon and authenticated only what they may submit."""
    row = await connection.fetchrow(SQL["find_function"], name)
    return DeclaredFunction(row["name"], frozenset(row["callable_by"]), row["max_attempts"]) if row else None


async def add_job(connection: Connection, new: NewJob, max_attempts: int) -> tuple[StoredJob, bool]:
    """The job, and whether it is new; one with the same name, submitter and idempotency key is found instead."""
    row = await connection.fetchrow(
        SQL["insert_job"],
        new.name,
        new.payload,
        new.priority,
        max_attempts,
        new.scheduled_at,
        new.idempotency_key,
        new.user_id,
    )
    if row is not None:
        return _job(row), True
    row = await connection.fetchrow(SQL["find_by_key"], new.name, new.user_id, new.idempotency_key)
    if row is None:  # the other one was deleted in between; the caller's next try finds nothing in its way
        raise asyncpg.SerializationError("a job with this idempotency key is being deleted")
    return _job(row), False


async def find_job(connection: Connection, job_id: UUID) -> StoredJob | None:
    """The job, as far as the connection's role may see it."""
    row = await connection.fetchrow(SQL["find_job"], job_id)
    return _job(row) if row else None


async def job_internals(connection: Connection, job_id: UUID) -> Mapping[str, Any]:
    """`error_stack`, `worker_id`, `schedule` and `idempotency_key`: the operator's."""
    row = await connection.fetchrow(SQL["job_internals"], job_id)
    return dict(row) if row else {}


async def list_jobs(
    connection: Connection,
    *,
    status: JobStatus | None = None,
    name: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> Sequence[StoredJob]:
    """Newest first, from the job after `before` on."""
    return [_job(row) for row in await connection.fetch(SQL["list_jobs"], status, name, before, limit)]


async def has_more_pending(connection: Connection, user_id: UUID, limit: int) -> bool:
    """Whether more than `limit` jobs of this user wait."""
    return await connection.fetchval(SQL["has_more_pending"], user_id, limit)


async def cancel_job(connection: Connection, job_id: UUID) -> bool:
    """Cancel what is pending, ask what is running to stop; False when it has ended."""
    return await connection.fetchval(SQL["cancel_job"], job_id) is not None


async def retry_job(connection: Connection, job_id: UUID) -> bool:
    """Begin anew what has ended; False when it has not."""
    return await connection.fetchval(SQL["retry_job"], job_id) is not None


def _job(row: asyncpg.Record) -> StoredJob:
    fields: dict[str, Any] = dict(row)
    fields["status"] = JobStatus(row["status"])
    return StoredJob(**fields)

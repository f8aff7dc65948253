"""Submit, cancel and retry jobs for whoever asks, and in the transaction of a service."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from fluxbase.auth.callers import Caller
from fluxbase.db import Connection, Database
from fluxbase.errors import NotFoundError, PayloadTooLargeError, PermissionDeniedError
from fluxbase.jobs import repository
from fluxbase.jobs.errors import (
    InvalidJobError,
    JobFinishedError,
    JobNotFinishedError,
    TooManyPendingError,
    UnknownFunctionError,
)
from fluxbase.jobs.model import DeclaredFunction, NewJob, StoredJob

HIGHEST_PRIORITY = 1000
_SECONDS_UNTIL_SOME_RAN = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken: bytes of JSON in a payload, and jobs of one user that wait."""

    payload_bytes: int
    pending_per_user: int


async def submit(
    connection: Connection,
    name: str,
    payload: Mapping[str, Any] | None = None,
    *,
    priority: int = 0,
    max_attempts: int | None = None,
    scheduled_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> StoredJob:
    """Submit a job within the caller's transaction, as a service: it exists if and when that commits.

    Raises:
        UnknownFunctionError: No worker has declared `name`.
    """
    new = NewJob(name, payload or {}, priority, max_attempts, scheduled_at, idempotency_key)
    function = await repository.find_function(connection, name)
    job, _ = await repository.add_job(connection, new, _attempts(new, _known(function, name)))
    return job


async def submit_as(database: Database, caller: Caller, new: NewJob, limits: Limits) -> tuple[StoredJob, bool]:
    """Submit for a caller; the job, and whether it is new (not one with the same idempotency key).

    Raises:
        PermissionDeniedError: 403, the caller may not submit this function, or not with this priority.
        UnknownFunctionError: 404, told to services only.
        PayloadTooLargeError: 413.
        InvalidJobError: 400.
        TooManyPendingError: 429, as many jobs of this user wait as may.
    """
    caller.require("jobs:write")
    _check_payload(new.payload, limits.payload_bytes)
    is_service = caller.claims.role == "service_role"
    if new.idempotency_key is not None and caller.user_id is None and not is_service:
        # All who are nobody would share their keys, with services too, and be given each other's jobs.
        raise InvalidJobError("An idempotency_key needs somebody whose it is: sign in, or leave it out.")
    async with database.transaction(caller.claims) as connection:
        function = await repository.find_function(connection, new.name)
    if function is None and not is_service:
        raise PermissionDeniedError(f"There is no function {new.name} that you may submit.")
    if not is_service and new.priority > 0:
        raise PermissionDeniedError("A priority above 0 is for services.")
    attempts = _attempts(new, _known(function, new.name))
    async with database.transaction() as connection:
        job, is_new = await repository.add_job(connection, replace(new, user_id=caller.user_id), attempts)
        if is_new:
            await _check_pending(connection, caller, limits)
        return job, is_new


async def cancel(database: Database, caller: Caller, job_id: UUID) -> StoredJob:
    """Cancel a job that the caller sees: at once when it waits, as soon as it listens when it runs.

    Raises:
        NotFoundError: 404.
        JobFinishedError: 409, it has ended.
    """
    job = await _seen(database, caller, job_id)
    async with database.transaction() as connection:
        if not await repository.cancel_job(connection, job_id):
            raise JobFinishedError(f"The job has ended already ({job.status}).")
    return await _found(database, caller, job_id)


async def retry(database: Database, caller: Caller, job_id: UUID, limits: Limits) -> StoredJob:
    """Begin a job anew that the caller sees and that has ended.

    Raises:
        NotFoundError: 404.
        JobNotFinishedError: 409.
        TooManyPendingError: 429, as many jobs of this user wait as may.
    """
    job = await _seen(database, caller, job_id)
    async with database.transaction() as connection:
        if not await repository.retry_job(connection, job_id):
            raise JobNotFinishedError(f"The job is {job.status}; only one that has ended can begin anew.")
        await _check_pending(connection, caller, limits)
    return await _found(database, caller, job_id)


async def _check_pending(connection: Connection, caller: Caller, limits: Limits) -> None:
    """Refuse what this transaction has just made pending; requests at the same moment do not see each other's."""
    limit = limits.pending_per_user
    if caller.user_id is not None and await repository.has_more_pending(connection, caller.user_id, limit):
        raise TooManyPendingError(
            f"{limit} jobs of yours wait already, and no more are taken: let some run, or cancel some.",
            retry_after_seconds=_SECONDS_UNTIL_SOME_RAN,
        )


async def _seen(database: Database, caller: Caller, job_id: UUID) -> StoredJob:
    caller.require("jobs:write")
    return await _found(database, caller, job_id)


async def _found(database: Database, caller: Caller, job_id: UUID) -> StoredJob:
    async with database.transaction(caller.claims) as connection:
        job = await repository.find_job(connection, job_id)
    if job is None:
        raise NotFoundError("There is no such job, or it is not yours.")
    return job


def _known(function: DeclaredFunction | None, name: str) -> DeclaredFunction:
    if function is None:
        raise UnknownFunctionError(f"No worker has declared a function {name}: does a worker with its module run?")
    return function


def _attempts(new: NewJob, function: DeclaredFunction) -> int:
    wanted = new.max_attempts or function.max_attempts
    if wanted > function.max_attempts:
        raise InvalidJobError(f"max_attempts is at most {function.max_attempts} for {function.name}.")
    return wanted


def _check_payload(payload: Mapping[str, Any], limit_bytes: int) -> None:
    try:
        size = len(json.dumps(payload, ensure_ascii=False, allow_nan=False).encode())
    except (ValueError, UnicodeEncodeError) as error:
        raise InvalidJobError("The payload holds a number or a character that JSON cannot have.") from error
    if size > limit_bytes:
        raise PayloadTooLargeError(
            f"The payload has {size} bytes; jobs take up to {limit_bytes}. Store it, send its id."
        )

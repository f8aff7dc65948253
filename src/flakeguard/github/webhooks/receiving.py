"""Take a delivery: keep it with what it owes in one transaction; or do one again that was kept."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog

from flakeguard.github.webhooks import applying, repository
from flakeguard.github.webhooks.fields import MalformedPayloadError
from flakeguard.github.webhooks.notices import Delivery, Unknown
from flakeguard.github.webhooks.reading import read
from flakeguard.github.webhooks.repository import Outcome, StoredDelivery
from flakeguard.github.webhooks.working import App, Occasion
from flakeguard.worker.outbox import revive
from fluxbase.db import Connection, Database
from fluxbase.errors import InvalidRequestError, NotFoundError
from fluxbase.http.problem import problem_of

logger = structlog.get_logger(__name__)

_BATCH = 50
_UNAVAILABLE = 503


class InvalidPayloadError(InvalidRequestError):
    """A delivery's body is a JSON object."""

    code = "invalid_payload"


async def take(database: Database, app: App, *, guid: str, event: str, body: bytes, now: datetime) -> Outcome:
    """Keep a delivery and do what it asks for; what became of it.

    One that GitHub delivers again is done again if it failed, or could not be done then; else nothing changes.

    Raises:
        InvalidPayloadError: 400, the body is no JSON object.
        asyncpg.PostgresError, OSError: PostgreSQL is away: nothing is kept, and GitHub is told so.
    """
    told, error = _understand(event, _parsed(body))
    kept = b"" if told is not None and isinstance(told.notice, Unknown) else body
    async with database.transaction() as connection:
        before, is_new = await repository.store(connection, guid, event, told, kept, now)
        if not is_new:
            if not await _wants_more(connection, before):
                logger.info("delivery known", delivery=guid, github_event=event, state=before.state)
                return before
            if told is not None and kept:
                await repository.keep_body(connection, guid, told, kept)
        outcome = await _outcome(connection, told, error, app, Occasion(guid, now))
        await repository.settle_delivery(connection, guid, outcome)
    logger.info("delivery taken", delivery=guid, github_event=event, state=outcome.state, job_id=outcome.job_id)
    return outcome


async def take_again(database: Database, app: App, guid: str, now: datetime) -> Outcome:
    """Do a delivery that is kept once more, whatever became of it.

    Raises:
        NotFoundError: There is none, or nothing is kept of it.
    """
    async with database.transaction() as connection:
        stored = await repository.find_delivery(connection, guid)
        if stored is None or not stored.body:
            raise NotFoundError("There is no such delivery, or nothing of it is kept.")
        return await _again(connection, app, stored, Occasion(guid, now, late=True, again=True))


async def work_off(database: Database, app: App, installation_id: int, now: Callable[[], datetime]) -> int:
    """Do what was kept until an installation was bound, oldest first; how many deliveries."""
    done = 0
    while True:
        async with database.transaction() as connection:
            batch = await repository.next_unbound(connection, installation_id, _BATCH)
            outcomes = [
                await _again(connection, app, stored, Occasion(stored.guid, now(), late=True)) for stored in batch
            ]
        done += len(batch)
        # Who unbinds it meanwhile leaves the rest as it is.
        if len(batch) < _BATCH or all(outcome.state == "unbound" for outcome in outcomes):
            return done


async def _again(connection: Connection, app: App, stored: StoredDelivery, occasion: Occasion) -> Outcome:
    told, error = _understand(stored.event, _parsed(stored.body))
    outcome = await _outcome(connection, told, error, app, occasion)
    await repository.settle_delivery(connection, stored.guid, outcome)
    return outcome


async def _wants_more(connection: Connection, before: Outcome) -> bool:
    """Whether a delivery that is known has not succeeded, nor is on its way to."""
    if before.state == "received" and before.job_id is not None:
        owed = await repository.jobs_of(connection, [before.job_id])
        return owed.get(before.job_id, (False, None))[0]
    return before.state in ("failed", "ignored", "unbound")


async def _outcome(
    connection: Connection, told: Delivery | None, error: str | None, app: App, occasion: Occasion
) -> Outcome:
    if told is None:
        return Outcome("failed", error=error)
    try:
        async with connection.transaction():
            outcome = await applying.apply(connection, told, app, occasion)
            if outcome.job_id is not None:
                await revive(connection, outcome.job_id)  # it may have been given up, and is asked for again
            return outcome
    except Exception as failure:
        if problem_of(failure).status == _UNAVAILABLE:
            raise  # nothing is wrong with the delivery
        logger.exception("delivery failed", delivery=occasion.guid, github_event=told.event)
        return Outcome("failed", error=f"{type(failure).__name__}: {failure}"[:1000])


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidPayloadError("The body is not valid JSON.") from error
    if not isinstance(payload, dict):
        raise InvalidPayloadError
    return payload  # pyright: ignore[reportUnknownVariableType] -- JSON


def _understand(event: str, payload: dict[str, Any]) -> tuple[Delivery | None, str | None]:
    try:
        return read(event, payload), None
    except MalformedPayloadError as error:
        return None, str(error)

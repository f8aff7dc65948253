"""Accept an upload: ingestion, contents and the work owed, in one transaction."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flakeguard.errors import InvalidMetaError, InvalidReportsError
from flakeguard.ingestion.meta import RunMeta
from flakeguard.ingestion.receiving import Received
from flakeguard.projects.model import ProjectKey
from flakeguard.worker.jobs import Priority
from flakeguard.worker.outbox import owe, revive
from flakeguard.worker.queues import INGEST
from fluxbase.db import Connection, Database, load

_SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class FileState:
    """What became of one file of an upload."""

    filename: str
    size_bytes: int
    format: str | None
    test_count: int | None
    warnings: Sequence[str]
    error: str | None


@dataclass(frozen=True, slots=True)
class IngestionState:
    """What is known of an upload: `accepted`, then `stored`, then `analyzed`; `failed` says why in `error`.

    `verdicts` counts the verdicts of its run's tests, once it is analysed.
    """

    id: UUID
    project_id: int
    state: str
    meta: dict[str, Any]
    run_id: int | None
    junit_files: int
    test_results: int | None
    flake_events_created: int | None
    error: str | None
    created_at: datetime
    stored_at: datetime | None
    analyzed_at: datetime | None
    files: tuple[FileState, ...] = ()
    verdicts: Mapping[str, int] | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing more will become known."""
        return self.state in ("analyzed", "failed")


def checked_meta(received: Received, key: ProjectKey) -> RunMeta:
    """The upload's meta, when the upload can be taken at all.

    Raises:
        InvalidMetaError: Missing, unusable, or of another project than the key's.
        InvalidReportsError: No file, or none that can be a report.
    """
    if received.meta is None:
        raise InvalidMetaError("the upload has no `meta` part: send one with the run's facts as JSON, `sha` at least")
    meta = RunMeta.parse(received.meta)
    if meta.project_slug not in (None, key.project_slug):
        raise InvalidMetaError(f"the key belongs to the project {key.project_slug}, but meta names {meta.project_slug}")
    if not received.files:
        raise InvalidReportsError("the upload has no `junit` file")
    if all(file.possible is False for file in received.files):
        names = ", ".join(file.filename for file in received.files[:5])
        if all(file.size_bytes == 0 for file in received.files):
            raise InvalidReportsError(f"every file of the upload is empty ({names}); did the tests write their report?")
        raise InvalidReportsError(f"no file of the upload can be a JUnit report ({names}); is the glob right?")
    return meta


async def accept(
    database: Database, key: ProjectKey, meta: RunMeta, received: Received, *, correlation_id: str
) -> UUID:
    """Store the upload and what is owed for it, in one transaction; see `accept_for`."""
    async with database.transaction() as connection:
        return await accept_for(connection, key.project_id, key.id, meta, received, correlation_id=correlation_id)


async def accept_for(
    connection: Connection,
    project_id: int,
    api_key_id: int | None,
    meta: RunMeta,
    received: Received,
    *,
    correlation_id: str,
    priority: Priority | None = None,
) -> UUID:
    """Store the upload and what is owed for it; the same contents for the same run again are the same ingestion.

    One that was given up is tried again when it is sent again. `api_key_id` is None when no key sent it. `priority` is
    that of its job.
    """
    contents = received.contents_digest()
    idempotency_key = hashlib.sha256(meta.run_key(contents) + contents).digest()
    ingestion_id: UUID | None = await connection.fetchval(
        _SQL["accept"], project_id, api_key_id, idempotency_key, meta.model_dump(mode="json", exclude_none=True),
        len(received.files), correlation_id,
    )  # fmt: skip
    if ingestion_id is None:
        known: UUID = await connection.fetchval(_SQL["known"], project_id, idempotency_key)
        # Whoever sends it again wants it read: had it been given up, its job is owed once more.
        for job_id in (f"upload-{known}", f"analyze-{known}"):
            await revive(connection, job_id)
        return known
    for file in received.files:
        await connection.execute(
            _SQL["add_file"], project_id, ingestion_id, file.filename, file.size_bytes, file.sha256, file.encoding,
            file.content.read(),
        )  # fmt: skip
    await owe(
        connection,
        queue=INGEST,
        name="process-upload",
        job_id=f"upload-{ingestion_id}",
        data={"ingestionId": str(ingestion_id), "correlationId": correlation_id},
        correlation_id=correlation_id,
        priority=priority,
    )
    return ingestion_id


async def find(connection: Connection, ingestion_id: UUID, *, with_files: bool = False) -> IngestionState | None:
    """One ingestion, as far as the connection's role may see it."""
    row = await connection.fetchrow(_SQL["find"], ingestion_id)
    if row is None:
        return None
    files = await connection.fetch(_SQL["find_files"], ingestion_id) if with_files else []
    verdicts = None
    if row["state"] == "analyzed":
        verdicts = {one["verdict"]: one["tests"] for one in await connection.fetch(_SQL["verdicts"], row["run_id"])}
    return IngestionState(**dict(row), files=tuple(FileState(**dict(file)) for file in files), verdicts=verdicts)

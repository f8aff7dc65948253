"""Read an accepted upload into rows, all of it in one transaction, and owe its analysis."""

import asyncio
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from typing import Any, BinaryIO
from uuid import UUID

import structlog

from flakeguard.ingestion.batches import in_batches
from flakeguard.ingestion.meta import RunMeta
from flakeguard.ingestion.repository import SQL, StoredRun, add_report, store_batch, upsert_run
from flakeguard.reports.archives import DEFAULT_ARCHIVE_LIMITS, ArchiveLimits, expand
from flakeguard.reports.junit import parse_junit
from flakeguard.reports.model import ReportError
from flakeguard.worker.outbox import owe, settle
from flakeguard.worker.queues import ANALYZE
from fluxbase.db import Connection, Database

logger = structlog.get_logger(__name__)

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Upload:
    """What every file of an upload is stored with."""

    connection: Connection
    ingestion_id: UUID
    run: StoredRun
    arrival: datetime
    limits: ArchiveLimits


@dataclass(slots=True)
class _FileResult:
    """What became of one file: attempts read, the format, warnings, and an error when nothing could be read."""

    attempts: int = 0
    formats: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])
    pieces: int = 0

    @property
    def error(self) -> str | None:
        """Why nothing of it could be read."""
        return "; ".join(self.errors[:5]) if self.errors and len(self.errors) == self.pieces else None

    @property
    def told(self) -> list[str]:
        """Warnings, with the errors of single members of an archive of which the rest was kept."""
        return self.warnings if self.error else self.warnings + self.errors


async def process_upload(
    database: Database,
    ingestion_id: UUID,
    *,
    job_id: str,
    now: Callable[[], datetime],
    limits: ArchiveLimits = DEFAULT_ARCHIVE_LIMITS,
) -> int | None:
    """Parse and store every file of an ingestion; the attempts stored, or None when it was done before.

    Safe to call again at any time: a second call finds the state changed and does nothing. Files that are no reports
    are recorded with their error, and the rest is kept.
    """
    async with database.transaction() as connection:
        row = await connection.fetchrow(SQL["lock_for_processing"], ingestion_id)
        if row is None or row["state"] != "accepted":
            await settle(connection, job_id)
            return None
        meta = RunMeta.model_validate(row["meta"])
        files = await connection.fetch(SQL["files_to_read"], ingestion_id)
        contents = b"" if meta.github_run_id else await _contents(connection, files, limits)
        run = await upsert_run(connection, row["project_id"], meta.run_key(contents), meta, row["created_at"])
        upload = _Upload(connection, ingestion_id, run, row["created_at"], limits)
        stored = 0
        for file in files:
            result = await _process_file(upload, file)
            stored += result.attempts
            await connection.execute(
                SQL["describe_file"], file["id"], ", ".join(dict.fromkeys(result.formats)) or None, result.attempts,
                result.told, result.error,
            )  # fmt: skip
        await connection.execute(SQL["mark_stored"], ingestion_id, run.id, stored, now())
        await owe(
            connection, queue=ANALYZE, name="analyze-upload", job_id=f"analyze-{ingestion_id}",
            data={"ingestionId": str(ingestion_id), "correlationId": row["correlation_id"]},
            correlation_id=row["correlation_id"],
        )  # fmt: skip
        await settle(connection, job_id)
    logger.info(
        "ingestion completed", ingestion_id=str(ingestion_id), run_id=run.id, files=len(files), test_results=stored
    )
    return stored


async def _contents(connection: Connection, files: Sequence[Any], limits: ArchiveLimits) -> bytes:
    """A digest of the reports themselves: the same whether they come alone, in an archive, or twice."""
    digests: set[bytes] = set()
    for file in files:
        members: set[bytes] = set()
        if file["encoding"] == "zip":
            content: bytes = await connection.fetchval(SQL["file_content"], file["id"])
            # In a thread: gigabytes may be unpacked for it, and BullMQ's locks and the worker's health want their turn.
            members = await asyncio.to_thread(_member_digests, content, file["filename"], limits)
        digests |= members or {file["sha256"]}
    return hashlib.sha256(b"".join(sorted(digests))).digest()


def _member_digests(content: bytes, name: str, limits: ArchiveLimits) -> set[bytes]:
    """The digests of an archive's members, without those that cannot be read."""
    found: set[bytes] = set()
    with io.BytesIO(content) as stored:
        for piece in expand(stored, name, limits):
            if piece.stream is not None:
                with suppress(ReportError):
                    found.add(_digest(piece.stream))
    return found


async def _process_file(upload: _Upload, file: Any) -> _FileResult:
    result = _FileResult()
    content: bytes = await upload.connection.fetchval(SQL["file_content"], file["id"])
    with io.BytesIO(content) as stored:
        for piece in expand(stored, _upload_name(file["filename"], file["encoding"]), upload.limits):
            result.pieces += 1
            label = f"{piece.name}: " if file["encoding"] == "zip" else ""  # the file itself is named beside it
            if piece.stream is None:
                result.errors.append(f"{label}{piece.error.message if piece.error else 'cannot be read'}")
                continue
            await _process_report(upload, label, piece.stream, result)
    return result


def _upload_name(filename: str, encoding: str) -> str:
    return filename if encoding == "zip" else f"{filename.removesuffix('.gz')}.gz"


async def _process_report(upload: _Upload, label: str, stream: BinaryIO, result: _FileResult) -> None:
    """One report: hashed, counted once in its run, parsed and stored batch by batch; all of it or nothing.

    Whatever is wrong with the file is a `ReportError`. Anything else (an OSError or TimeoutError of the database, say)
    is not the file's fault: it ends the transaction, and the job is tried again.
    """
    try:
        digest = _digest(stream)
        stream.seek(0)
        report = parse_junit(stream)
        start = list(islice(report, 1))  # the report's own time stands before its first attempt
        async with upload.connection.transaction():  # a savepoint: a report that fails half-way leaves nothing
            report_key = await add_report(
                upload.connection, upload.run.id, digest, upload.ingestion_id, report.info.timestamp
            )
            if report_key is None:
                result.warnings.append(f"{label}the run has this report already; it was not counted again")
                return
            attempts = 0
            for batch in in_batches(chain(start, report), upload.run.variant):
                await store_batch(upload.connection, upload.run, report_key, batch, upload.arrival)
                attempts += len(batch.positions)
    except ReportError as error:
        result.errors.append(f"{label}{error.message}")
    else:
        result.attempts += attempts
        result.formats.append(report.info.format)
        result.warnings.extend(f"{label}{warning}" for warning in report.info.warnings)


def _digest(stream: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    for chunk in _chunks(stream):
        digest.update(chunk)
    return digest.digest()


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(_CHUNK_BYTES):
        yield chunk

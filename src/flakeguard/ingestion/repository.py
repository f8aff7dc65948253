"""The rows of an upload: run, test cases, failure texts, attempts. Takes the connection, never commits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from flakeguard.ingestion.batches import Batch
from flakeguard.ingestion.meta import RunMeta
from fluxbase.db import Connection, load

SQL = load(__package__)

_EVENT_COLUMNS = (
    "project_id", "test_case_id", "run_id", "report_key", "position", "outcome", "duration_ms", "failure_id",
    "executed_at", "created_at",
)  # fmt: skip
_LONGEST_NAMING_SECONDS = 600.0  # the other upload is parsed to its end meanwhile
_UNTIMED = 2**63
_LAST_SECOND = 2**32 - 1
_DIGEST_BITS = 31


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the database knows it.

    `executed_at` is that of its first upload. `may_copy` is whether this connection's role stands above RLS, under
    which PostgreSQL refuses COPY (managed servers grant nobody that).
    """

    id: int
    project_id: int
    variant: str
    executed_at: datetime
    may_copy: bool


async def upsert_run(
    connection: Connection, project_id: int, key: bytes, meta: RunMeta, arrival: datetime
) -> StoredRun:
    """The run of that key, made when it is new."""
    row = await connection.fetchrow(
        SQL["upsert_run"], project_id, key, meta.provider or ("github" if meta.github_run_id else None),
        meta.repo_full_name, meta.github_run_id, meta.github_run_attempt, meta.github_run_number, meta.workflow_name,
        meta.job_name, meta.job_variant, meta.sha, meta.branch, meta.event, meta.pr_number, meta.run_url,
        meta.executed_at(arrival), meta.completed_at,
    )  # fmt: skip
    assert row is not None  # noqa: S101 -- ON CONFLICT DO UPDATE always returns its row
    return StoredRun(row["id"], project_id, meta.job_variant, row["executed_at"], row["may_copy"])


async def store_batch(connection: Connection, run: StoredRun, report_key: int, batch: Batch, arrival: datetime) -> None:
    """Store one batch of attempts, with the test cases and failure texts it is the first to name."""
    cases = await _case_ids(connection, run, batch)
    failures = await _failure_ids(connection, run.project_id, batch)
    columns = (
        [cases[case] for case in batch.case_hashes], batch.positions, batch.outcomes, batch.durations_ms,
        [None if key is None else failures[key] for key in batch.failure_digests],
    )  # fmt: skip
    if not run.may_copy:
        await connection.execute(
            SQL["add_events"], run.project_id, run.id, report_key, run.executed_at, arrival, *columns
        )
        return
    await connection.copy_records_to_table(
        "flake_events",
        columns=_EVENT_COLUMNS,
        records=(
            (run.project_id, case, run.id, report_key, position, outcome, duration, failure, run.executed_at, arrival)
            for case, position, outcome, duration, failure in zip(*columns, strict=True)
        ),
    )


async def add_report(
    connection: Connection, run_id: int, digest: bytes, ingestion_id: UUID, timestamp: datetime | None
) -> int | None:
    """Count this report in this run; its key, or None when the run has it already."""
    key = report_key(digest, timestamp)
    return await connection.fetchval(SQL["add_report"], run_id, digest, ingestion_id, key)


def report_key(digest: bytes, timestamp: datetime | None) -> int:
    """A report's place among those of its run, 64 bits with a sign: retries that come in files of their own follow.

    Seconds since 1970 of its first timestamp (as UTC when it names no zone), 32 bits, then 31 bits of its digest.
    Reports that tell no time come first, with 63 bits of the digest: their order means nothing, and never changes.
    """
    number = int.from_bytes(digest[:8], "big")
    if timestamp is None:
        return (number >> 1) - _UNTIMED
    seconds = (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)).timestamp()
    return min(max(int(seconds), 0), _LAST_SECOND) << _DIGEST_BITS | number >> (64 - _DIGEST_BITS)


async def _case_ids(connection: Connection, run: StoredRun, batch: Batch) -> Mapping[bytes, int]:
    known = await _known(connection, "known_cases", run.project_id, list(batch.cases))
    missing = {key: names for key, names in batch.cases.items() if key not in known}
    if missing:
        await _lock_naming(connection, run.project_id)
        suites, files, classes, names = zip(*missing.values(), strict=True)
        rows = await connection.fetch(
            SQL["add_cases"], run.project_id, run.variant, list(missing), suites, files, classes, names
        )
        added = {row["identity_hash"]: row["id"] for row in rows}
        await connection.execute(SQL["add_stats"], run.project_id, list(added.values()), run.executed_at)
        known |= added
        # Another upload was first with some of them.
        known |= await _known(connection, "known_cases", run.project_id, [key for key in missing if key not in added])
    return known


async def _failure_ids(connection: Connection, project_id: int, batch: Batch) -> Mapping[bytes, int]:
    known = await _known(connection, "known_failures", project_id, list(batch.failures))
    missing = {key: text for key, text in batch.failures.items() if key not in known}
    if missing:
        await _lock_naming(connection, project_id)
        prints, kinds, messages, details = zip(*missing.values(), strict=True)
        rows = await connection.fetch(SQL["add_failures"], project_id, list(missing), prints, kinds, messages, details)
        added = {row["digest"]: row["id"] for row in rows}
        known |= added
        known |= await _known(connection, "known_failures", project_id, [key for key in missing if key not in added])
    return known


async def _lock_naming(connection: Connection, project_id: int) -> None:
    """Name tests and failures of a project one upload at a time.

    Two that name the same ones, batch after batch in orders of their own, would wait for each other. Whoever names
    nothing new never waits here.
    """
    await connection.execute(SQL["lock_naming"], project_id, timeout=_LONGEST_NAMING_SECONDS)


async def _known(connection: Connection, query: str, project_id: int, keys: list[bytes]) -> dict[bytes, int]:
    if not keys:
        return {}
    return {row[1]: row[0] for row in await connection.fetch(SQL[query], project_id, keys)}

"""Reads of the project's pages. Each runs as the signed-in user, in the page's one transaction; none commits."""

from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import asyncpg

from flakeguard.analysis.window import entries, unpack
from flakeguard.dashboard.listing import Page, RunFilter, TestFilter, like_pattern
from flakeguard.dashboard.model import (
    Attempt,
    FailureGroup,
    ListedRun,
    ListedTest,
    OrganizationPlace,
    ProjectPlace,
    SiblingRun,
    SlowTest,
    TestDetail,
    TestName,
    TestRun,
    TrendDay,
    Upload,
    UploadedFile,
    VerdictChange,
)
from flakeguard.dashboard.texts import failure_text
from flakeguard.reports.model import Outcome
from fluxbase.db import Connection, fetch_page, load

_QUERIES = load(__package__)
SPARK_RUNS = 24
"""Runs in the small history of a table row."""


async def places(connection: Connection, user_id: UUID) -> tuple[OrganizationPlace, ...]:
    """The user's organizations and projects, by name."""
    rows = await connection.fetch(_QUERIES["places"], user_id)
    found: list[OrganizationPlace] = []
    for _, group in groupby(rows, key=lambda row: row["organization_id"]):
        members = list(group)
        first = members[0]
        projects = tuple(
            ProjectPlace(r["project_id"], r["project_name"]) for r in members if r["project_id"] is not None
        )
        found.append(
            OrganizationPlace(
                first["organization_id"],
                first["organization_name"],
                first["organization_slug"],
                first["role"],
                projects,
            )
        )
    return tuple(found)


async def verdict_counts(connection: Connection, project_id: int) -> dict[str, int]:
    """Tests by verdict."""
    return {row["verdict"]: row["tests"] for row in await connection.fetch(_QUERIES["verdict_counts"], project_id)}


async def pulse(connection: Connection, project_id: int) -> tuple[datetime | None, int]:
    """When the last run arrived, and how many uploads are being worked on."""
    row = await connection.fetchrow(_QUERIES["project_pulse"], project_id)
    return (row["last_upload_at"], row["pending"]) if row else (None, 0)


async def trend(connection: Connection, project_id: int, since: datetime, branch: str) -> list[TrendDay]:
    """Days with runs since `since`, oldest first."""
    rows = await connection.fetch(_QUERIES["trend"], project_id, since, branch or None)
    return [TrendDay(**dict(row)) for row in rows]


async def find_tests(
    connection: Connection, project_id: int, wanted: TestFilter, now: datetime, *, limit: int, offset: int
) -> tuple[list[ListedTest], int]:
    """The tests that `wanted` describes, and how many there are in all."""
    rows, total = await fetch_page(
        connection,
        _QUERIES["find_tests"],
        project_id,
        [str(verdict) for verdict in wanted.verdicts],
        like_pattern(wanted.search) if wanted.search else None,
        wanted.suite or None,
        wanted.variant or None,
        wanted.since(now),
        wanted.branch or None,
        wanted.sort,
        wanted.direction == "desc",
        limit=limit,
        offset=offset,
    )
    return [_listed_test(row) for row in rows], total


async def test_choices(connection: Connection, project_id: int) -> tuple[list[str], list[str]]:
    """Suites and variants of the tests that need attention, for the filters."""
    row = await connection.fetchrow(_QUERIES["test_choices"], project_id)
    return (list(row["suites"]), list(row["variants"])) if row else ([], [])


async def branches(connection: Connection, project_id: int, since: datetime) -> list[str]:
    """Branches with runs since `since`, the latest first."""
    return [row["branch"] for row in await connection.fetch(_QUERIES["branches"], project_id, since)]


async def find_runs(
    connection: Connection, project_id: int, wanted: RunFilter, page: Page
) -> tuple[list[ListedRun], int]:
    """The runs that `wanted` describes, newest first, and how many there are in all."""
    rows, total = await fetch_page(
        connection,
        _QUERIES["find_runs"],
        project_id,
        wanted.branch or None,
        wanted.sha or None,
        wanted.status or None,
        limit=page.size,
        offset=page.offset,
    )
    return [ListedRun(**_without(row, "total")) for row in rows], total


async def find_run(connection: Connection, project_id: int, run_id: int) -> ListedRun | None:
    """One run, if it is of this project."""
    row = await connection.fetchrow(_QUERIES["find_run"], project_id, run_id)
    return ListedRun(**dict(row)) if row else None


async def runs_of_commit(connection: Connection, project_id: int, sha: str) -> list[SiblingRun]:
    """The runs of a commit, newest first."""
    return [SiblingRun(**dict(row)) for row in await connection.fetch(_QUERIES["runs_of_commit"], project_id, sha)]


async def slowest_tests(connection: Connection, project_id: int, run_id: int, limit: int) -> list[SlowTest]:
    """The tests of a run that took longest."""
    rows = await connection.fetch(_QUERIES["slowest_of_run"], project_id, run_id, limit)
    return [SlowTest(row["id"], _test_name(row), row["duration_ms"]) for row in rows]


async def find_test(connection: Connection, project_id: int, test_case_id: int) -> TestDetail | None:
    """One test, if it is of this project."""
    row = await connection.fetchrow(_QUERIES["find_test"], project_id, test_case_id)
    if row is None:
        return None
    fields = _without(row, "suite", "file", "class_name", "name", "variant", "broken_branches")
    return TestDetail(name=_test_name(row), broken_branches=tuple(row["broken_branches"]), **fields)


async def runs_of_test(connection: Connection, project_id: int, test_case_id: int, limit: int) -> list[TestRun]:
    """The last runs of a test, newest first, each with its attempts in order."""
    rows = await connection.fetch(_QUERIES["attempts_of_test"], project_id, test_case_id, limit)
    found: list[TestRun] = []
    for run_id, group in groupby(rows, key=lambda row: row["run_id"]):
        members = list(group)
        first = members[0]
        found.append(
            TestRun(
                run_id=run_id,
                sha=first["sha"],
                branch=first["branch"],
                job=first["job"],
                variant=first["variant"],
                executed_at=first["executed_at"],
                outage=first["outage"],
                attempts=tuple(_attempt(row) for row in members),
            )
        )
    return found


async def failure_groups(connection: Connection, project_id: int, test_case_id: int, limit: int) -> list[FailureGroup]:
    """What a test's failures say, the most frequent first."""
    rows = await connection.fetch(_QUERIES["failures_of_test"], project_id, test_case_id, limit)
    found: list[FailureGroup] = []
    for row in rows:
        text = failure_text(row["failure_type"], row["message"], row["details"])
        if text is not None:
            found.append(FailureGroup(row["times"], row["runs"], row["last_at"], row["last_run_id"], text))
    return found


async def verdict_changes(
    connection: Connection, project_id: int, test_case_id: int, limit: int
) -> list[VerdictChange]:
    """A test's steps from verdict to verdict, newest first."""
    rows = await connection.fetch(_QUERIES["verdict_changes_of_test"], project_id, test_case_id, limit)
    return [VerdictChange(**dict(row)) for row in rows]


async def find_uploads(
    connection: Connection, project_id: int, state: str | None, page: Page
) -> tuple[list[Upload], int]:
    """Uploads with their files, newest first, and how many there are in all."""
    rows, total = await fetch_page(
        connection, _QUERIES["find_uploads"], project_id, state, limit=page.size, offset=page.offset
    )
    uploads = [row["id"] for row in rows]
    files: dict[UUID, list[UploadedFile]] = {identifier: [] for identifier in uploads}
    for row in await connection.fetch(_QUERIES["files_of_uploads"], project_id, uploads):
        fields = _without(row, "ingestion_id", "warnings")
        warnings = tuple(str(warning) for warning in row["warnings"] or ())
        files[row["ingestion_id"]].append(UploadedFile(warnings=warnings, **fields))
    return [Upload(files=tuple(files[row["id"]]), **_without(row, "total")) for row in rows], total


def _without(row: asyncpg.Record, *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def _test_name(row: asyncpg.Record) -> TestName:
    return TestName(row["suite"], row["file"], row["class_name"], row["name"], row["variant"])


def _attempt(row: asyncpg.Record) -> Attempt:
    details = row.get("details")
    return Attempt(
        Outcome(row["outcome"]), row["duration_ms"], failure_text(row["failure_type"], row["message"], details)
    )


def _listed_test(row: asyncpg.Record) -> ListedTest:
    recent = tuple((run_id, unpack(code)) for run_id, code in entries(row["window_all"])[:SPARK_RUNS])
    return ListedTest(
        id=row["id"],
        name=_test_name(row),
        verdict=row["verdict"],
        severity=row["severity"],
        score=row["score"],
        flake_rate_low=row["flake_rate_low"],
        flake_rate=row["flake_rate"],
        flake_rate_high=row["flake_rate_high"],
        runs=row["runs"],
        failures=row["failures"],
        broken_branches=tuple(row["broken_branches"]),
        duration_ms=row["duration_ms"],
        last_failed_at=row["last_failed_at"],
        last_seen_at=row["last_seen_at"],
        recent=recent,
    )

"""`tests:recompute`: choose the tests, owe a job for each batch of them, and count the batches that are done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from itertools import batched
from typing import Any

import structlog
from pydantic import Field

from flakeguard.analysis.analyzing import recompute_tests
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.recompute.scopes import Condition, UnusableScopeError, batch_size, condition
from flakeguard.analysis.repository import Judged
from flakeguard.analysis.turns import turn
from flakeguard.quarantine.policy import DEFAULT_POLICY
from flakeguard.quarantine.reviewing import Reviewed, review
from flakeguard.worker.errors import InvalidJobError
from flakeguard.worker.jobs import RECOMPUTE_BATCH, Id, JobData, TestsRecomputeJobData
from flakeguard.worker.outbox import owe, settle
from flakeguard.worker.queues import TESTS_RECOMPUTE
from fluxbase.db import Connection, Database, load

logger = structlog.get_logger(__name__)
_SQL = load(__package__)


class RecomputeBatchJobData(JobData):
    """`tests:recompute`, `recompute-batch`: some tests of a recomputation. Made by `recompute` alone."""

    recomputation_id: Id
    project_id: Id
    test_ids: tuple[Id, ...] = Field(strict=False)
    update_quarantine_status: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recomputation is, and what it did to decisions about quarantine so far."""

    tests: int
    tests_done: int
    batches: int
    batches_done: int
    quarantine_proposed: int
    quarantine_activated: int
    quarantine_expired: int
    quarantine_resolved: int


async def begin(database: Database, data: TestsRecomputeJobData, *, job_id: str, now: datetime) -> Mapping[str, Any]:
    """Owe the batches of every project that has results of the repository; what Bull Board shows.

    All of it is one transaction: a job that is run again while its batches are under way owes nothing twice.

    Raises:
        InvalidJobError: The scope is not usable, or no project has results of the repository.
    """
    scope, options = data.recompute_scope, data.options
    try:
        wanted = condition(scope.type, scope.patterns, scope.lookback_days, now)
    except UnusableScopeError as error:
        raise InvalidJobError(str(error)) from error
    full_name = f"{data.repository.owner}/{data.repository.repo}"
    size = batch_size(options.batch_size if options else None)
    async with database.transaction() as connection:
        projects = [project for (project,) in await connection.fetch(_SQL["projects_of_repository"], full_name)]
        if not projects:
            raise InvalidJobError(f"no project has results of {full_name}")
        counts = [
            await _begin_project(connection, project, wanted, data, job_id=job_id, size=size, now=now)
            for project in projects
        ]
        await settle(connection, job_id)
    tests, batches = (sum(column) for column in zip(*counts, strict=True))
    logger.info("recomputation begun", repository=full_name, tests=tests, batches=batches)
    return {"projects": len(projects), "tests": tests, "batches": batches}


async def _begin_project(
    connection: Connection,
    project_id: int,
    wanted: Condition,
    data: TestsRecomputeJobData,
    *,
    job_id: str,
    size: int,
    now: datetime,
) -> tuple[int, int]:
    rows = await connection.fetch(
        _SQL["tests_in_scope"], project_id, wanted.names_like, wanted.classes_like, wanted.tests, wanted.seen_since
    )
    batches = list(batched((test for (test,) in rows), size))
    scope = data.recompute_scope.model_dump(mode="json", by_alias=True, exclude_none=True)
    recomputation: int | None = await connection.fetchval(
        _SQL["begin_recomputation"], project_id, job_id, scope, len(rows), len(batches), now
    )
    if recomputation is None:
        return len(rows), 0  # begun before, and under way
    for number, tests in enumerate(batches, 1):
        batch = RecomputeBatchJobData(
            correlation_id=data.correlation_id,
            recomputation_id=recomputation,
            project_id=project_id,
            test_ids=tests,
            update_quarantine_status=bool(data.options and data.options.update_quarantine_status),
        )
        await owe(
            connection, queue=TESTS_RECOMPUTE, name=RECOMPUTE_BATCH, job_id=f"recompute-{recomputation}-{number}",
            data=batch.to_json(), correlation_id=data.correlation_id, priority="low",
        )  # fmt: skip
    return len(rows), len(batches)


async def recompute_batch(
    database: Database,
    data: RecomputeBatchJobData,
    *,
    job_id: str,
    config: AnalysisConfig,
    now: datetime,
    tell: Callable[[Sequence[Judged]], None],
) -> Progress | None:
    """Rebuild the batch's tests, review their quarantine if asked to, and count it, in one transaction.

    None when it was done before.
    """
    judged: list[Judged] = []
    async with turn(database, "lock_project", data.project_id) as connection:
        if not await settle(connection, job_id):
            return None
        # Named by the job's data, which others can write: tests of another project are not touched.
        rows = await connection.fetch(_SQL["tests_of_project"], data.project_id, list(data.test_ids))
        tests = [test for (test,) in rows]
        if tests:
            await recompute_tests(connection, data.project_id, tests, config=config, now=now, tell=judged.extend)
        reviewed = Reviewed()
        if data.update_quarantine_status:
            reviewed = await review(connection, data.project_id, tests, policy=DEFAULT_POLICY, config=config, now=now)
        row = await connection.fetchrow(
            _SQL["count_batch"], data.recomputation_id, len(data.test_ids), now, *astuple(reviewed)
        )
    tell(judged)
    return Progress(**row) if row else None

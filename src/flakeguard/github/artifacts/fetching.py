"""`process-run`: the artifacts of a workflow run's attempt become ingestions of the repository's project.

Each artifact is accepted in a transaction of its own, and the same artifact is the same ingestion however often it is
fetched. So a worker may die between any two steps: the job runs again, and the rows are the same.
"""

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Any, BinaryIO, cast
from uuid import UUID

import asyncpg
import structlog

from flakeguard.github.artifacts.attempts import of_attempt
from flakeguard.github.artifacts.choosing import ArtifactRules, choose
from flakeguard.github.artifacts.naming import JobIdentity, Jobs, RunJob, cut, one_line, stable_name
from flakeguard.github.artifacts.source import Source
from flakeguard.github.artifacts.unpacking import BrokenArtifactError, unpack
from flakeguard.github.errors import GitHubAwayError, GitHubRefusedError, GoneError, HalfArtifactError, TooLargeError
from flakeguard.github.facts import Artifact, Job, Run, WorkflowRun
from flakeguard.github.webhooks.repository import note_run
from flakeguard.ingestion.accepting import accept_for
from flakeguard.ingestion.meta import RunMeta
from flakeguard.ingestion.receiving import Received
from flakeguard.reports.archives import ArchiveLimits
from flakeguard.worker.errors import InvalidJobError
from flakeguard.worker.jobs import Repository, RunsIngestJobData
from flakeguard.worker.outbox import settle
from fluxbase.db import Connection, Database, load

logger = structlog.get_logger(__name__)
_SQL = load(__package__)

_IN_MEMORY_BYTES = 1024 * 1024
_NAMES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What is fetched, and what an archive may unpack to."""

    rules: ArtifactRules = field(default_factory=ArtifactRules)
    archives: ArchiveLimits = field(default_factory=ArchiveLimits)


@dataclass(frozen=True, slots=True)
class _Fetch:
    """One attempt of one run, and where its results go.

    `owner` and `repo` are the repository's name today, for GitHub; `called` is its name when the run was told of,
    under which its results are kept: a job that is done again after a renaming makes no second ingestion.
    """

    database: Database
    source: Source
    repository_id: int
    project_id: int
    owner: str
    repo: str
    called: str
    run: WorkflowRun
    attempt: int
    pr_numbers: Sequence[int]
    limits: Limits
    correlation_id: str

    @property
    def key(self) -> tuple[int, int, int]:
        return self.repository_id, self.run.id, self.attempt


@dataclass(slots=True)
class _Told:
    """What became of the artifacts."""

    ingestions: list[UUID] = field(default_factory=list[UUID])
    passed_over: list[str] = field(default_factory=list[str])
    broken: list[str] = field(default_factory=list[str])


async def process_run(
    database: Database,
    source_of: Callable[[int], Source],
    data: RunsIngestJobData,
    *,
    job_id: str,
    limits: Limits,
) -> Mapping[str, Any]:
    """Fetch and accept the results of a run; what Bull Board shows. Safe to repeat.

    Raises:
        InvalidJobError: No bound installation has the repository, or no project gets its results.
        BrokenArtifactError: Some artifact can never be read; the others were accepted.
        RetryLater: GitHub is away, limits us, or sent half an artifact.
    """
    repository = await _repository(database, data)
    owner, _, repo = repository["full_name"].partition("/")  # of today: it may have been renamed since it was owed
    source = source_of(data.repository.installation_id)
    run = await source.run(owner, repo, data.workflow_run_id)
    attempt = data.run_attempt or run.attempt
    if attempt > run.attempt or (attempt == run.attempt and run.status != "completed"):
        await _leave(database, (repository["id"], run.id, attempt), job_id, shown=run.attempt)
        return {"state": "under way"}
    pr_numbers = await _note(database, repository["id"], run, attempt)
    fetch = _Fetch(
        database, source, repository["id"], repository["project_id"], owner, repo, data.repository.full_name, run,
        attempt, pr_numbers, limits, data.correlation_id or job_id,
    )  # fmt: skip
    told = await _fetch_all(fetch)
    state = await _finish(fetch, told, job_id)
    logger.info(
        "run fetched", repository=f"{owner}/{repo}", workflow_run_id=run.id, run_attempt=attempt, state=state,
        ingestions=len(told.ingestions), passed_over=told.passed_over[:_NAMES_SHOWN],
    )  # fmt: skip
    if told.broken:
        raise BrokenArtifactError("; ".join(told.broken))
    return {
        "state": state,
        "ingestions": [str(one) for one in told.ingestions],
        "passedOver": told.passed_over[:_NAMES_SHOWN],
    }


async def mark_failed(connection: Connection, data: RunsIngestJobData) -> None:
    """Say that the run's results will not come by themselves."""
    row = await _find(connection, data.repository)
    if row is None:
        return
    attempt = data.run_attempt or await connection.fetchval(_SQL["latest_attempt"], row["id"], data.workflow_run_id)
    await connection.fetchval(_SQL["finish_run"], row["id"], data.workflow_run_id, attempt, "failed")


async def _repository(database: Database, data: RunsIngestJobData) -> asyncpg.Record:
    async with database.transaction() as connection:
        row = await _find(connection, data.repository)
    if row is None:
        raise InvalidJobError(
            f"no bound installation {data.repository.installation_id} reaches {data.repository.full_name}"
        )
    if row["project_id"] is None:
        raise InvalidJobError(f"no project gets the results of {data.repository.full_name}: choose one")
    return row


async def _find(connection: Connection, told: Repository) -> asyncpg.Record | None:
    return await connection.fetchrow(_SQL["find_repository"], told.installation_id, told.full_name, told.repository_id)


async def _leave(database: Database, key: tuple[int, int, int], job_id: str, *, shown: int) -> None:
    """Leave an attempt that is under way to whoever hears of its end.

    Raises:
        GitHubAwayError: It ended, as an event or a list said: what GitHub shows of it is older than that.
    """
    async with database.transaction() as connection:
        if key[2] > shown or await connection.fetchval(_SQL["is_completed"], *key):
            raise GitHubAwayError("GitHub said that this attempt ended, and does not show it yet")
        await settle(connection, job_id)


async def _note(database: Database, repository_id: int, run: WorkflowRun, attempt: int) -> Sequence[int]:
    """Keep what GitHub says of the run; the pull requests that it is known to belong to."""
    async with database.transaction() as connection:
        await note_run(connection, repository_id, as_noted(run, attempt))
        row = await connection.fetchrow(_SQL["find_run"], repository_id, run.id, attempt)
    return row["pr_numbers"] if row else run.pr_numbers


def as_noted(run: WorkflowRun, attempt: int) -> Run:
    """The run as `github_runs` keeps it; what is known of the latest attempt alone is left out of an earlier one."""
    if attempt == run.attempt:
        return run
    return replace(run, attempt=attempt, status="completed", conclusion=None, run_started_at=None)


async def _fetch_all(fetch: _Fetch) -> _Told:
    told = _Told()
    try:
        listed = await fetch.source.artifacts(fetch.owner, fetch.repo, fetch.run.id)
    except GoneError:
        told.passed_over.append("GitHub keeps no artifacts of this run any more")
        return told
    choice = choose(of_attempt(listed, fetch.attempt, await _starts(fetch)), fetch.limits.rules)
    told.passed_over += [str(one) for one in choice.passed_over]
    told.passed_over += [f"{name}: not named like test results" for name in islice(choice.others, _NAMES_SHOWN)]
    if choice.chosen:
        await _fetch_each(fetch, choice.chosen, told)
    return told


async def _fetch_each(fetch: _Fetch, chosen: Sequence[Artifact], told: _Told) -> None:
    """One that does not arrive keeps no other back; two in a row are GitHub's trouble, and no artifact's.

    Raises:
        GitHubAwayError, HalfArtifactError: Some did not arrive. The others were accepted.
    """
    jobs, by_name = await _jobs(fetch)
    first: GitHubAwayError | HalfArtifactError | None = None
    just_failed = False
    for artifact in chosen:
        try:
            await _fetch_one(fetch, artifact, jobs, by_name, told)
            just_failed = False
        except HalfArtifactError as error:  # its storage answered, so it says nothing of the next one's
            first, just_failed = first or error, False
        except GitHubAwayError as error:
            if just_failed:
                raise
            first, just_failed = first or error, True
    if first is not None:
        raise first


async def _starts(fetch: _Fetch) -> Mapping[int, datetime]:
    async with fetch.database.transaction() as connection:
        rows = await connection.fetch(_SQL["starts"], fetch.repository_id, fetch.run.id)
    starts: dict[int, datetime] = {row["run_attempt"]: row["run_started_at"] for row in rows}
    if fetch.run.run_started_at is not None:
        starts[fetch.run.attempt] = fetch.run.run_started_at
    for number in (fetch.attempt, fetch.attempt + 1):  # between these two lie the artifacts of this attempt
        if 1 < number < fetch.run.attempt and number not in starts:
            began = await fetch.source.attempt_started_at(fetch.owner, fetch.repo, fetch.run.id, number)
            starts |= {} if began is None else {number: began}
    return starts


async def _jobs(fetch: _Fetch) -> tuple[Jobs, Mapping[str, Job]]:
    """All jobs that name artifacts, those of the first attempt too; and those of this one by name, for their times."""
    own = await fetch.source.jobs(fetch.owner, fetch.repo, fetch.run.id, fetch.attempt)
    first = own if fetch.attempt == 1 else await fetch.source.jobs(fetch.owner, fetch.repo, fetch.run.id, 1)
    jobs = Jobs(RunJob(one_line(job.name), job.labels) for job in (*first, *own))
    return jobs, {one_line(job.name): job for job in own}


async def _fetch_one(fetch: _Fetch, artifact: Artifact, jobs: Jobs, by_name: Mapping[str, Job], told: _Told) -> None:
    name = stable_name(artifact.name, run_id=fetch.run.id, run_attempt=fetch.attempt, head_sha=fetch.run.head_sha)
    identity = jobs.of_artifact(name)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spool:
        spooled = cast("BinaryIO", spool)
        try:
            whole = await fetch.source.download_artifact(
                fetch.owner, fetch.repo, artifact.id, spooled, fetch.limits.rules.most_bytes
            )
            unpacked = await asyncio.to_thread(
                unpack, spooled, artifact.name, fetch.limits.rules, fetch.limits.archives, whole=whole
            )
        except GoneError:
            told.passed_over.append(f"{artifact.name}: GitHub has deleted it")
            return
        except TooLargeError as error:
            told.passed_over.append(f"{artifact.name}: {error}")
            return
        except BrokenArtifactError as error:
            told.broken.append(str(error))
            return
        except GitHubRefusedError as error:
            told.broken.append(f"{artifact.name}: {error}")
            return
    told.passed_over += [f"{artifact.name}: {one}" for one in unpacked.passed_over]
    if unpacked.reports is None:
        told.passed_over.append(f"{artifact.name}: no report in it")
        return
    with unpacked.reports.content:
        received = Received(None, [unpacked.reports])
        meta = _meta(fetch, identity, by_name.get(identity.job or ""))
        async with fetch.database.transaction() as connection:
            told.ingestions.append(await _accept(connection, fetch, meta, received))


async def _accept(connection: Connection, fetch: _Fetch, meta: RunMeta, received: Received) -> UUID:
    # What is fetched is read before more is fetched: behind a thousand runs that wait, nobody would see any result.
    ingestion_id = await accept_for(
        connection, fetch.project_id, None, meta, received, correlation_id=fetch.correlation_id, priority="critical"
    )
    await connection.execute(_SQL["link"], *fetch.key, ingestion_id)
    return ingestion_id


def _meta(fetch: _Fetch, identity: JobIdentity, job: Job | None) -> RunMeta:
    run = fetch.run
    return RunMeta(
        sha=run.head_sha, branch=run.head_branch or "", provider="github", repo_full_name=fetch.called,
        workflow_name=cut(one_line(run.workflow_name or "")) or None,
        github_run_id=str(run.id), github_run_attempt=fetch.attempt,
        github_run_number=run.run_number, run_url=run.html_url, event=run.event,
        pr_number=min(fetch.pr_numbers, default=None), job_name=identity.name, job_variant=identity.variant,
        started_at=(job and job.started_at) or run.run_started_at or run.created_at,
        completed_at=(job and job.completed_at) or run.updated_at,
    )  # fmt: skip


async def _finish(fetch: _Fetch, told: _Told, job_id: str) -> str:
    state = "failed" if told.broken else ("stored" if told.ingestions else "empty")
    async with fetch.database.transaction() as connection:
        state = await connection.fetchval(_SQL["finish_run"], *fetch.key, state) or state
        if not told.broken:
            await settle(connection, job_id)
    return state

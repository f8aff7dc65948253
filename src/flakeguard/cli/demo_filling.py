"""Fills a project with the made-up history, through the same functions that an upload goes through."""

import asyncio
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import httpx

from flakeguard.analysis.analyzing import analyze_ingestion
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.demo.model import DemoRun, Plant
from flakeguard.ingestion.accepting import accept, checked_meta
from flakeguard.ingestion.processing import process_upload
from flakeguard.ingestion.receiving import UploadLimits, UploadReceiver
from flakeguard.projects import api_keys, organizations, projects
from flakeguard.projects.api_keys import authenticate_key
from flakeguard.projects.model import Project, ProjectKey
from fluxbase.auth import User, emails, passwords, repository
from fluxbase.db import Connection, Database, load
from fluxbase.errors import NotFoundError
from fluxbase.resources import Resources

SQL = load(__package__)
ORGANIZATION, ORGANIZATION_SLUG = "Demo", "demo"
STAND_IN_EMAIL = "demo@example.com"
"""Owner of the demonstration where no account exists yet."""

_PASSWORD_BYTES = 15
_LARGEST = 1 << 40  # what we make up ourselves needs no limit
_LIMITS = UploadLimits(files=1000, file_bytes=_LARGEST, upload_bytes=_LARGEST)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose demonstration it is; `password` only of an account that was made just now."""

    user: User
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """Numbers that the dashboard's addresses are made of: the open pull request's run, and the planted tests."""

    open_run: int
    tests: dict[str, int]


class SeveralAccountsError(Exception):
    """Nobody was named, and there is more than one account to choose from."""


async def account_for(database: Database, email: str | None) -> Account:
    """The account of that address, made when there is none; without an address the only one there is.

    An account that exists keeps its password. The operator of the machine asks, so no sign-up policy applies.

    Raises:
        SeveralAccountsError: No address, and several accounts.
        InvalidEmailError: The address is none.
    """
    async with database.transaction() as connection:
        if email is None:
            found = await connection.fetch(SQL["first_accounts"])
            if len(found) > 1:
                raise SeveralAccountsError
            row = found[0] if found else None
        else:
            row = await connection.fetchrow(SQL["account_by_email"], emails.cleaned(email))
    if row is not None:
        return Account(User(id=row["id"], email=row["email"], created_at=row["created_at"]))
    return await _new_account(database, emails.cleaned(email or STAND_IN_EMAIL))


async def _new_account(database: Database, email: str) -> Account:
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    password_hash = await passwords.hashed(password)
    async with database.transaction() as connection:
        user = await repository.add_user(connection, email=email, password_hash=password_hash, user_metadata={})
        if user is None:  # somebody signed up with it in this moment
            raise SeveralAccountsError
        await repository.audit(connection, "user.signup", actor_id=user.id, ip=None, email=email, by="flakeguard demo")
    return Account(user, password)


async def project_for(database: Database, user: User, slug: str) -> Project:
    """The project of that slug in the organisation Demo, whose owner the user becomes; both are made when missing.

    Raises:
        InvalidSlugError: The slug is none.
    """
    async with database.transaction() as connection:
        organization_id = await connection.fetchval(SQL["organization_by_slug"], ORGANIZATION_SLUG)
        if organization_id is not None:
            await connection.execute(SQL["make_owner"], organization_id, user.id)
    if organization_id is None:
        await organizations.create(database, user, name=ORGANIZATION, slug=ORGANIZATION_SLUG)
    for project in await projects.list_all(database, user, ORGANIZATION_SLUG):
        if project.slug == slug:
            return project
    name = slug.replace("-", " ").capitalize()
    return await projects.create(database, user, ORGANIZATION_SLUG, name=name, slug=slug)


async def runs_in(database: Database, project: Project) -> int:
    """How many runs the project holds."""
    async with database.transaction() as connection:
        return await connection.fetchval(SQL["runs_of_project"], project.id)


async def emptied(database: Database, user: User, project: Project) -> Project:
    """The project made anew; everything that was in it is gone."""
    await projects.delete(database, user, project.id, confirm=project.slug)
    return await project_for(database, user, project.slug)


async def new_key(database: Database, user: User, project: Project) -> tuple[ProjectKey, str]:
    """A key of the project, and its token."""
    _, token = await api_keys.create(database, user, project.id, name="demo")
    return await authenticate_key(database, f"Bearer {token}"), token


async def fill(
    resources: Resources,
    config: AnalysisConfig,
    key: ProjectKey,
    runs: Sequence[DemoRun],
    advance: Callable[[], None],
) -> int:
    """Upload, store and analyse run after run (the next is stored while one is analysed); the attempts stored.

    A worker that runs meanwhile takes the same jobs; whoever comes second finds them done.
    """
    async with asyncio.TaskGroup() as tasks:
        analysis: asyncio.Task[None] | None = None
        for run in runs:
            ingestion_id = await _accept(resources.database, key, run)
            job_id = f"upload-{ingestion_id}"
            await process_upload(resources.database, ingestion_id, job_id=job_id, now=resources.now)
            if analysis is not None:  # one after the other, so that verdicts change in the order of the runs
                await analysis
            analysis = tasks.create_task(_analyze(resources, config, ingestion_id, advance))
    async with resources.database.transaction() as connection:
        await _backdate(connection, key.project_id)
        return await connection.fetchval(SQL["attempts_of_project"], key.project_id)


async def _analyze(
    resources: Resources, config: AnalysisConfig, ingestion_id: UUID, advance: Callable[[], None]
) -> None:
    job_id = f"analyze-{ingestion_id}"
    await analyze_ingestion(resources.database, ingestion_id, job_id=job_id, config=config, now=resources.now)
    advance()


async def _accept(database: Database, key: ProjectKey, run: DemoRun) -> UUID:
    """The upload as it would come in a request: multipart, taken apart, hashed, compressed."""
    request = httpx.Request(
        "POST",
        "http://demo/api/v1/ingest/junit",
        data={"meta": json.dumps(dict(run.meta))},
        files=[("junit", (report.filename, report.content, "application/xml")) for report in run.reports],
    )
    receiver = UploadReceiver.for_content_type(request.headers["content-type"], _LIMITS)
    try:
        receiver.feed(request.read())
        received = receiver.finish()
        meta = checked_meta(received, key)
        return await accept(database, key, meta, received, correlation_id=f"demo-{meta.github_run_id}")
    finally:
        receiver.close()


async def _backdate(connection: Connection, project_id: int) -> None:
    """Let uploads and changes of verdicts have happened when their runs ended, and not all in this minute."""
    for name in ("backdate_uploads", "backdate_files", "backdate_runs", "backdate_changes"):
        await connection.execute(SQL[name], project_id)


async def links(database: Database, project: Project, branch: str, plants: Sequence[Plant]) -> Links:
    """Where to look.

    Raises:
        NotFoundError: The branch has no run: the project holds something else.
    """
    async with database.transaction() as connection:
        open_run = await connection.fetchval(SQL["newest_run_of_branch"], project.id, branch)
        if open_run is None:
            raise NotFoundError(f"the project {project.slug} has no run of {branch}: it holds other uploads")
        tests = {
            plant.key: await connection.fetchval(
                SQL["case_by_name"], project.id, plant.case.class_name, plant.case.name, plant.variant
            )
            for plant in plants
        }
    return Links(open_run, {key: number for key, number in tests.items() if number is not None})

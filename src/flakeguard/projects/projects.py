"""What can be done with projects. Each function is one use case in a transaction of its own."""

from dataclasses import replace
from uuid import uuid4

import asyncpg

from flakeguard.projects import audit, deletion, naming, repository
from flakeguard.projects.access import Action, require_organization, require_project
from flakeguard.projects.errors import ConfirmationError, SlugTakenError
from flakeguard.projects.model import Project
from flakeguard.worker.jobs import RECOMPUTE_PROJECT
from flakeguard.worker.outbox import owe
from flakeguard.worker.queues import ANALYZE
from fluxbase.auth import User
from fluxbase.db import Connection, Database


async def create(
    database: Database,
    user: User,
    organization: str,
    *,
    name: str,
    slug: str | None = None,
    default_branch: str = "main",
) -> Project:
    """A new project; without a slug one is made from the name.

    Raises:
        NotFoundError, PermissionDeniedError, InvalidNameError, InvalidSlugError, InvalidBranchError: As they say.
        SlugTakenError: 409, taken in this organisation.
    """
    name, branch = naming.clean_name(name), naming.clean_branch(default_branch)
    wanted = naming.check_slug(slug) if slug else naming.slug_for(name)
    async with database.transaction() as connection:
        found = await require_organization(connection, user, organization, Action.ADMINISTER)
        project = await repository.add_project(connection, found, name=name, slug=wanted, default_branch=branch)
        if project is None:
            raise SlugTakenError(f"This organisation has a project {wanted} already; choose another slug.")
        await audit.record_by(
            connection, user, "project.created", organization_id=found.id, project_id=project.id, slug=wanted
        )
    return project


async def list_all(database: Database, user: User, organization: str) -> list[Project]:
    """Those of one organisation.

    Raises:
        NotFoundError: No such organisation for this user.
    """
    async with database.transaction(user.claims) as connection:
        found = await require_organization(connection, user, organization)
        return await repository.list_projects(connection, user.id, found.id)


async def list_mine(database: Database, user: User) -> list[Project]:
    """Those of all the user's organisations."""
    async with database.transaction(user.claims) as connection:
        return await repository.list_projects(connection, user.id)


async def get(database: Database, user: User, project_id: int) -> Project:
    """By id.

    Raises:
        NotFoundError: No such project for this user.
    """
    async with database.transaction(user.claims) as connection:
        return await require_project(connection, user, project_id)


async def update(
    database: Database,
    user: User,
    project_id: int,
    *,
    name: str | None = None,
    slug: str | None = None,
    default_branch: str | None = None,
) -> Project:
    """Change what is given; None leaves as it is. Another default branch owes a recomputation of every verdict.

    Raises:
        NotFoundError, PermissionDeniedError, InvalidNameError, InvalidSlugError, InvalidBranchError: As they say.
        SlugTakenError: 409.
    """
    async with database.transaction() as connection:
        found = await require_project(connection, user, project_id, Action.ADMINISTER)
        changed = replace(
            found,
            name=naming.clean_name(name) if name is not None else found.name,
            slug=naming.check_slug(slug) if slug is not None else found.slug,
            default_branch=naming.clean_branch(default_branch) if default_branch is not None else found.default_branch,
        )
        values = {"name": changed.name, "slug": changed.slug, "default_branch": changed.default_branch}
        try:
            await repository.update_project(connection, found.id, **values)
        except asyncpg.UniqueViolationError as error:
            raise SlugTakenError from error
        await audit.record_by(
            connection,
            user,
            "project.updated",
            organization_id=found.organization_id,
            project_id=found.id,
            **values,
        )
        if changed.default_branch != found.default_branch:
            await _owe_recomputation(connection, found.id)
    return changed


async def _owe_recomputation(connection: Connection, project_id: int) -> None:
    """What is known of each test's default branch is of the former one: all of it is judged anew."""
    await owe(
        connection,
        queue=ANALYZE,
        name=RECOMPUTE_PROJECT,
        job_id=f"recompute-{project_id}-{uuid4().hex}",  # one that is under way may have read the former branch
        data={"projectId": project_id},
        correlation_id=None,
    )


async def delete(database: Database, user: User, project_id: int, *, confirm: str) -> Project:
    """Delete a project with every upload, attempt and verdict in it, for ever.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
        ConfirmationError: 400, `confirm` is neither its slug nor its name.
    """
    async with database.transaction() as connection:
        found = await require_project(connection, user, project_id, Action.ADMINISTER)
    if confirm not in (found.slug, found.name):
        raise ConfirmationError
    await deletion.delete_project(database, user, found)
    return found

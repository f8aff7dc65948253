"""Deleting projects and organisations with all their evidence, in batches that keep locks short.

`flake_events` has no foreign keys (COPY fills it, old months are dropped), so its rows are deleted here, by run, and
before the runs: whoever is interrupted can delete again, because the project is the last thing to go.
"""

import structlog

from flakeguard.projects import audit, repository
from flakeguard.projects.model import Organization, Project
from flakeguard.projects.repository import SQL
from fluxbase.auth import User
from fluxbase.auth.repository import audit as audit_account
from fluxbase.db import Connection, Database
from fluxbase.resources import utc_now

logger = structlog.get_logger(__name__)

# A run of 10,000 tests is 10,000 rows: about 200,000 of them in a statement at most.
RUNS_A_BATCH = 20


async def delete_project(database: Database, user: User, project: Project) -> None:
    """Delete a project the user may delete (checked by the caller)."""
    await _delete_project(database, project)
    async with database.transaction() as connection:
        await audit.record_by(
            connection, user, "project.deleted", organization_id=project.organization_id, slug=project.slug
        )
    logger.info("project deleted", project_id=project.id, user_id=user.id)


async def delete_organization(database: Database, user: User, organization: Organization) -> None:
    """Delete an organisation the user may delete (checked by the caller)."""
    async with database.transaction() as connection:
        projects = await repository.list_projects(connection, user.id, organization.id)
    for project in projects:
        await _delete_project(database, project)
    async with database.transaction() as connection:
        await repository.delete_organization(connection, organization.id)
        # Its own trail goes with it; that it went stays with the account that did it.
        await audit_account(
            connection, "org.deleted", actor_id=user.id, ip=None, organization=organization.slug, id=organization.id
        )
    logger.info("organization deleted", organization_id=organization.id, user_id=user.id)


async def _delete_project(database: Database, project: Project) -> None:
    async with database.transaction() as connection:  # first of all, nothing more may arrive
        await connection.execute(SQL["revoke_all_keys"], project.id, utc_now())
    last_run = 0
    while last_run is not None:
        async with database.transaction() as connection:
            last_run = await _delete_batch(connection, project.id, after_run=last_run)
    async with database.transaction() as connection:
        # A job that began before may have stored meanwhile. The lock waits for it, and keeps the next one out.
        await connection.execute(SQL["lock_project"], project.id)
        last_run = 0
        while last_run is not None:
            last_run = await _delete_batch(connection, project.id, after_run=last_run)
        await connection.execute(SQL["delete_project"], project.id)


async def _delete_batch(connection: Connection, project_id: int, *, after_run: int) -> int | None:
    """Delete the events of the next runs; the last of these, None when there were none."""
    rows = await connection.fetch(SQL["next_runs_with_events"], project_id, after_run, RUNS_A_BATCH)
    runs = [row["id"] for row in rows]
    if not runs:
        return None
    await connection.execute(SQL["delete_events_of_runs"], runs)
    return runs[-1]

"""The audit trail of an organisation: written in the transaction of what it tells, never changed."""

from typing import Any
from uuid import UUID

from flakeguard.projects.access import require_organization
from flakeguard.projects.model import AuditEvent, AuditPage
from flakeguard.projects.repository import SQL
from fluxbase.auth import User
from fluxbase.db import Connection, Database
from fluxbase.errors import InvalidRequestError

LONGEST_PAGE = 200
_LARGEST_OFFSET = 1_000_000_000


async def record(
    connection: Connection,
    *,
    organization_id: int,
    action: str,
    actor_id: UUID | None = None,
    actor_email: str | None = None,
    project_id: int | None = None,
    **metadata: Any,
) -> None:
    """Add an event inside the caller's transaction (as service_role)."""
    await connection.execute(SQL["insert_audit"], organization_id, project_id, actor_id, actor_email, action, metadata)


async def record_by(
    connection: Connection,
    user: User,
    action: str,
    *,
    organization_id: int,
    project_id: int | None = None,
    **metadata: Any,
) -> None:
    """Add an event that `user` caused."""
    await record(
        connection,
        organization_id=organization_id,
        action=action,
        actor_id=user.id,
        actor_email=user.email,
        project_id=project_id,
        **metadata,
    )


async def list_page(
    database: Database,
    user: User,
    organization: str,
    *,
    limit: int = 50,
    offset: int = 0,
    action: str | None = None,
    actor: str | None = None,
) -> AuditPage:
    """A page of the trail, newest first. `actor` is an id or an e-mail address.

    Raises:
        InvalidRequestError: Limit or offset out of range.
        NotFoundError: No such organisation for this user.
    """
    if not 1 <= limit <= LONGEST_PAGE or not 0 <= offset <= _LARGEST_OFFSET:
        raise InvalidRequestError(f"limit is from 1 to {LONGEST_PAGE}, offset from 0.")
    filters = [text.replace("\0", "") if text else None for text in (action, actor)]
    async with database.transaction(user.claims) as connection:
        found = await require_organization(connection, user, organization)
        total = await connection.fetchval(SQL["count_audit"], found.id, *filters)
        rows = await connection.fetch(SQL["list_audit"], found.id, *filters, limit, offset)
    return AuditPage(tuple(AuditEvent(**row) for row in rows), total, limit, offset)

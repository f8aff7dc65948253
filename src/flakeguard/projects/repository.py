"""Organisations, members, invites and projects in the database. Takes the connection, never commits."""

from datetime import datetime
from uuid import UUID

import asyncpg

from flakeguard.projects.model import Invite, Member, Organization, Project, Role
from fluxbase.db import Connection, load

SQL = load(__package__ or "")
_LARGEST_ID = 2**63 - 1


async def add_organization(connection: Connection, *, name: str, slug: str) -> Organization | None:
    """The new organisation; None when the slug is taken."""
    row = await connection.fetchrow(SQL["insert_organization"], name, slug)
    return _organization(row) if row else None


async def find_organization(connection: Connection, user_id: UUID, reference: str) -> Organization | None:
    """By slug, or by id when `reference` is a number; None for who is no member."""
    if reference.isascii() and reference.isdigit():
        if int(reference) > _LARGEST_ID:
            return None
        row = await connection.fetchrow(SQL["find_organization_by_id"], user_id, int(reference))
    else:
        row = await connection.fetchrow(SQL["find_organization_by_slug"], user_id, reference.replace("\0", ""))
    return _organization(row) if row else None


async def list_organizations(connection: Connection, user_id: UUID) -> list[Organization]:
    """Those the user is a member of, by name."""
    return [_organization(row) for row in await connection.fetch(SQL["list_organizations"], user_id)]


async def update_organization(connection: Connection, organization_id: int, *, name: str, slug: str) -> None:
    """Set name and slug.

    Raises:
        asyncpg.UniqueViolationError: The slug is taken.
    """
    await connection.execute(SQL["update_organization"], organization_id, name, slug)


async def lock_organization(connection: Connection, organization_id: int) -> bool:
    """Wait until no other change of membership is under way; False when the organisation is gone."""
    return await connection.fetchval(SQL["lock_organization"], organization_id) is not None


async def delete_organization(connection: Connection, organization_id: int) -> None:
    """The organisation and, by cascade, what belongs to it."""
    await connection.execute(SQL["delete_organization"], organization_id)


async def add_member(connection: Connection, organization_id: int, user_id: UUID, role: Role) -> bool:
    """False when the user is a member already."""
    return await connection.fetchval(SQL["insert_member"], organization_id, user_id, role) is not None


async def list_members(connection: Connection, organization_id: int) -> list[Member]:
    """Owners first. To be asked as a user, whose policies also decide which addresses are shown."""
    return [_member(row) for row in await connection.fetch(SQL["list_members"], organization_id)]


async def find_member(connection: Connection, organization_id: int, user_id: UUID) -> Member | None:
    """To be asked as service_role."""
    row = await connection.fetchrow(SQL["find_member"], organization_id, user_id)
    return _member(row) if row else None


async def is_member_address(connection: Connection, organization_id: int, email: str) -> bool:
    """Whether somebody with this address is a member."""
    return await connection.fetchval(SQL["is_member_address"], organization_id, email)


async def count_owners(connection: Connection, organization_id: int) -> int:
    """Members of role OWNER."""
    return await connection.fetchval(SQL["count_owners"], organization_id)


async def count_members(connection: Connection, organization_id: int) -> int:
    """Members of any role."""
    return await connection.fetchval(SQL["count_members"], organization_id)


async def set_role(connection: Connection, organization_id: int, user_id: UUID, role: Role) -> None:
    """Change a member's role."""
    await connection.execute(SQL["set_role"], organization_id, user_id, role)


async def delete_member(connection: Connection, organization_id: int, user_id: UUID) -> None:
    """Remove a member."""
    await connection.execute(SQL["delete_member"], organization_id, user_id)


async def add_invite(
    connection: Connection,
    *,
    organization_id: int,
    email: str,
    role: Role,
    token_hash: bytes,
    invited_by: UUID,
    now: datetime,
    expires_at: datetime,
) -> Invite:
    """A new invite; earlier ones to the same address are revoked."""
    await connection.execute(SQL["revoke_previous_invites"], organization_id, email, now)
    row = await connection.fetchrow(
        SQL["insert_invite"], organization_id, email, role, token_hash, invited_by, now, expires_at
    )
    assert row is not None  # noqa: S101 -- INSERT … RETURNING gives a row or raises
    return _invite(row)


async def list_pending_invites(connection: Connection, organization_id: int, now: datetime) -> list[Invite]:
    """Those that can still be accepted, newest first."""
    return [_invite(row) for row in await connection.fetch(SQL["list_pending_invites"], organization_id, now)]


async def find_pending_invite(connection: Connection, token_hash: bytes) -> Invite | None:
    """Neither accepted nor revoked; may have expired."""
    row = await connection.fetchrow(SQL["find_pending_invite"], token_hash)
    return _invite(row) if row else None


async def revoke_invite(connection: Connection, organization_id: int, invite_id: int, now: datetime) -> Invite | None:
    """The revoked invite; None when there was none to revoke."""
    row = await connection.fetchrow(SQL["revoke_invite"], organization_id, invite_id, now)
    return _invite(row) if row else None


async def revoke_invites_of(connection: Connection, organization_id: int, inviter: UUID, now: datetime) -> None:
    """Revoke what somebody who may no longer invite has pending."""
    await connection.execute(SQL["revoke_invites_of"], organization_id, inviter, now)


async def accept_invite(connection: Connection, invite_id: int, now: datetime) -> bool:
    """False when another request was faster."""
    return await connection.fetchval(SQL["accept_invite"], invite_id, now) is not None


async def add_project(
    connection: Connection, organization: Organization, *, name: str, slug: str, default_branch: str
) -> Project | None:
    """The new project; None when the slug is taken in this organisation."""
    row = await connection.fetchrow(SQL["insert_project"], organization.id, name, slug, default_branch)
    return _project(row, organization.slug, organization.role) if row else None


async def find_project(connection: Connection, user_id: UUID, project_id: int) -> Project | None:
    """None for who is no member of its organisation."""
    if not 0 < project_id <= _LARGEST_ID:
        return None
    row = await connection.fetchrow(SQL["find_project"], user_id, project_id)
    return _project(row, row["organization_slug"], Role(row["role"])) if row else None


async def list_projects(connection: Connection, user_id: UUID, organization_id: int | None = None) -> list[Project]:
    """Those of the user's organisations, or of one of them, by name."""
    rows = await connection.fetch(SQL["list_projects"], user_id, organization_id)
    return [_project(row, row["organization_slug"], Role(row["role"])) for row in rows]


async def update_project(connection: Connection, project_id: int, *, name: str, slug: str, default_branch: str) -> None:
    """Set name, slug and default branch.

    Raises:
        asyncpg.UniqueViolationError: The slug is taken in this organisation.
    """
    await connection.execute(SQL["update_project"], project_id, name, slug, default_branch)


def _organization(row: asyncpg.Record) -> Organization:
    return Organization(row["id"], row["name"], row["slug"], row["created_at"], Role(row["role"]))


def _member(row: asyncpg.Record) -> Member:
    return Member(row["user_id"], row["email"], Role(row["role"]), row["created_at"])


def _invite(row: asyncpg.Record) -> Invite:
    return Invite(
        id=row["id"],
        organization_id=row["organization_id"],
        organization_name=row["organization_name"],
        email=row["email"],
        role=Role(row["role"]),
        invited_by=row["invited_by"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
    )


def _project(row: asyncpg.Record, organization_slug: str, role: Role | None) -> Project:
    return Project(
        id=row["id"],
        organization_id=row["organization_id"],
        organization_slug=organization_slug,
        name=row["name"],
        slug=row["slug"],
        default_branch=row["default_branch"],
        created_at=row["created_at"],
        role=role,
    )

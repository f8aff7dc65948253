"""Members of an organisation and their roles."""

from uuid import UUID

from flakeguard.projects import audit, repository
from flakeguard.projects.access import Action, may, may_manage, require_organization
from flakeguard.projects.errors import InvalidRoleError, LastOwnerError
from flakeguard.projects.model import Member, Organization, Role
from fluxbase.auth import User
from fluxbase.db import Connection, Database
from fluxbase.errors import NotFoundError, PermissionDeniedError
from fluxbase.resources import utc_now


def parse_role(role: str) -> Role:
    """A role by its name, in any capitalisation.

    Raises:
        InvalidRoleError: 400.
    """
    try:
        return Role(role.upper())
    except ValueError as error:
        raise InvalidRoleError from error


async def list_all(database: Database, user: User, organization: str) -> list[Member]:
    """Owners first.

    Raises:
        NotFoundError: No such organisation for this user.
    """
    async with database.transaction(user.claims) as connection:
        found = await require_organization(connection, user, organization)
        return await repository.list_members(connection, found.id)


async def set_role(database: Database, user: User, organization: str, member_id: UUID, role: str) -> Member:
    """Give a member another role. Admins manage members and viewers only; owners anybody, themselves included.

    Raises:
        NotFoundError, PermissionDeniedError, InvalidRoleError: As they say.
        LastOwnerError: 409, nobody would own the organisation.
    """
    new = parse_role(role)
    async with database.transaction() as connection:
        found, member = await _locked(connection, user, organization, member_id, Action.ADMINISTER)
        if not (may_manage(found.role, member.role) and may_manage(found.role, new)):
            raise PermissionDeniedError("Admins can make members and viewers of members and viewers; owners the rest.")
        if member.role is Role.OWNER and new is not Role.OWNER:
            await _require_another_owner(connection, found.id)
        await repository.set_role(connection, found.id, member_id, new)
        if not may(new, Action.ADMINISTER):
            await repository.revoke_invites_of(connection, found.id, member_id, utc_now())
        await audit.record_by(
            connection,
            user,
            "org.member_role_updated",
            organization_id=found.id,
            member=member.email,
            role=new,
            previous_role=member.role,
        )
    return Member(member.user_id, member.email, new, member.created_at)


async def remove(database: Database, user: User, organization: str, member_id: UUID) -> Member:
    """Remove a member, or leave. What they had invited and is pending is revoked.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
        LastOwnerError: 409, nobody would own the organisation.
    """
    async with database.transaction() as connection:
        found, member = await _locked(connection, user, organization, member_id, Action.READ)
        if member.user_id != user.id and not may_manage(found.role, member.role):
            raise PermissionDeniedError(
                f"Your role here is {found.role}; it cannot remove members of role {member.role}."
            )
        if member.role is Role.OWNER:
            await _require_another_owner(connection, found.id)
        await repository.delete_member(connection, found.id, member_id)
        await repository.revoke_invites_of(connection, found.id, member_id, utc_now())
        await audit.record_by(
            connection, user, "org.member_removed", organization_id=found.id, member=member.email, role=member.role
        )
    return member


async def _locked(
    connection: Connection, user: User, organization: str, member_id: UUID, action: Action
) -> tuple[Organization, Member]:
    """Organisation and member, with no other change of membership under way: two owners may demote each other."""
    found = await require_organization(connection, user, organization, action)
    await repository.lock_organization(connection, found.id)
    found = await require_organization(connection, user, organization, action)  # as it is now that we hold the lock
    member = await repository.find_member(connection, found.id, member_id)
    if member is None:
        raise NotFoundError("There is no such member.")
    return found, member


async def _require_another_owner(connection: Connection, organization_id: int) -> None:
    if await repository.count_owners(connection, organization_id) <= 1:
        raise LastOwnerError

"""Who may do what, in one table; and the check that every use case begins with.

A stranger is told that there is no such thing (404), a member with too little a role that it is not theirs to do
(403). The database's policies say the same a second time for everything that is read as the user.
"""

from collections.abc import Mapping
from enum import StrEnum

from flakeguard.projects import repository
from flakeguard.projects.model import Organization, Project, Role
from fluxbase.auth import User
from fluxbase.db import Connection
from fluxbase.errors import NotFoundError, PermissionDeniedError


class Action(StrEnum):
    """Kinds of things that are done in an organisation."""

    READ = "read"
    """See the organisation, its members, projects, results and audit trail."""
    DECIDE = "decide"
    """Decide on a test's quarantine."""
    ADMINISTER = "administer"
    """Change names, members, projects; see and change invites and API keys."""
    OWN = "own"
    """Delete the organisation; make and unmake owners and admins."""


ALLOWED: Mapping[Action, frozenset[Role]] = {
    Action.READ: frozenset(Role),
    Action.DECIDE: frozenset((Role.OWNER, Role.ADMIN, Role.MEMBER)),
    Action.ADMINISTER: frozenset((Role.OWNER, Role.ADMIN)),
    Action.OWN: frozenset((Role.OWNER,)),
}


def may(role: Role, action: Action) -> bool:
    """Whether `role` may do `action`."""
    return role in ALLOWED[action]


def may_manage(manager: Role, other: Role) -> bool:
    """Whether `manager` may invite, change or remove somebody of role `other`: admins only what is below them."""
    match manager:
        case Role.OWNER:
            return True
        case Role.ADMIN:
            return other in (Role.MEMBER, Role.VIEWER)
        case _:
            return False


def require(role: Role, action: Action) -> None:
    """Raise unless `role` may do `action`.

    Raises:
        PermissionDeniedError: 403, naming the roles that may.
    """
    if not may(role, action):
        needed = " or ".join(sorted(ALLOWED[action], reverse=True))
        raise PermissionDeniedError(f"Your role here is {role}; this needs {needed}.")


async def require_organization(
    connection: Connection, user: User, organization: str, action: Action = Action.READ
) -> Organization:
    """The organisation of this slug or id, when `user` may do `action` in it.

    Raises:
        NotFoundError: There is none, or the user is no member.
        PermissionDeniedError: A member, but of too little a role.
    """
    found = await repository.find_organization(connection, user.id, organization)
    if found is None:
        raise NotFoundError("There is no such organisation, or you are not a member of it.")
    require(found.role, action)
    return found


async def require_project(connection: Connection, user: User, project_id: int, action: Action = Action.READ) -> Project:
    """The project of this id, when `user` may do `action` in its organisation.

    Raises:
        NotFoundError: There is none, or the user is no member of its organisation.
        PermissionDeniedError: A member, but of too little a role.
    """
    found = await repository.find_project(connection, user.id, project_id)
    if found is None or found.role is None:
        raise NotFoundError("There is no such project, or you are not a member of its organisation.")
    require(found.role, action)
    return found

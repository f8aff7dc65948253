"""Organisations, members, invites, the audit trail, and the projects of an organisation."""

from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.projects import audit, invites, members, organizations, projects, schemas
from flakeguard.projects.dependencies import DatabaseOf
from fluxbase.auth import CurrentUser
from fluxbase.http import success

router = APIRouter(prefix="/api/v1/orgs", tags=["organisations"])


@router.post("", status_code=201, summary="Create an organisation")
async def create(
    request: Request, *, user: CurrentUser, database: DatabaseOf, body: schemas.NewOrganization
) -> Response:
    """201 with the organisation, whose owner is who made it."""
    created = await organizations.create(database, user, name=body.name, slug=body.slug)
    return success(request, created, status=201)


@router.get("", summary="My organisations")
async def list_organizations(request: Request, *, user: CurrentUser, database: DatabaseOf) -> Response:
    """A list, each with the asking user's role."""
    return success(request, await organizations.list_all(database, user))


# Before `/{org}`, or else "invites" would be taken for an organisation.
@router.post("/invites/accept", summary="Accept an invite")
async def accept_invite(
    request: Request, *, user: CurrentUser, database: DatabaseOf, body: schemas.InviteToken
) -> Response:
    """The organisation that was joined."""
    return success(request, await invites.accept(database, user, body.token))


@router.get("/{org}", summary="One organisation")
async def read(request: Request, *, org: str, user: CurrentUser, database: DatabaseOf) -> Response:
    """By slug or id."""
    return success(request, await organizations.get(database, user, org))


@router.patch("/{org}", summary="Rename an organisation")
async def rename(
    request: Request, *, org: str, user: CurrentUser, database: DatabaseOf, body: schemas.OrganizationPatch
) -> Response:
    """The changed organisation."""
    return success(request, await organizations.rename(database, user, org, name=body.name, slug=body.slug))


@router.delete("/{org}", summary="Delete an organisation")
async def delete(request: Request, *, org: str, user: CurrentUser, database: DatabaseOf, confirm: str = "") -> Response:
    """What was deleted; `?confirm=` takes the slug."""
    return success(request, await organizations.delete(database, user, org, confirm=confirm))


@router.get("/{org}/members", summary="Members")
async def list_members(request: Request, *, org: str, user: CurrentUser, database: DatabaseOf) -> Response:
    """A list, owners first."""
    return success(request, await members.list_all(database, user, org))


@router.put("/{org}/members/{member}", summary="Change a member's role")
async def set_role(
    request: Request, *, org: str, member: UUID, user: CurrentUser, database: DatabaseOf, body: schemas.RoleBody
) -> Response:
    """The changed member."""
    return success(request, await members.set_role(database, user, org, member, body.role))


@router.delete("/{org}/members/{member}", summary="Remove a member, or leave")
async def remove_member(
    request: Request, *, org: str, member: UUID, user: CurrentUser, database: DatabaseOf
) -> Response:
    """Who was removed."""
    return success(request, await members.remove(database, user, org, member))


@router.post("/{org}/invites", status_code=201, summary="Invite somebody")
async def create_invite(
    request: Request, *, org: str, user: CurrentUser, database: DatabaseOf, body: schemas.NewInvite
) -> Response:
    """201 with the invite and, this once, its token."""
    invite, token = await invites.create(database, user, org, email=body.email, role=body.role)
    return success(request, schemas.invite_json(invite) | {"token": token}, status=201)


@router.get("/{org}/invites", summary="Pending invites")
async def list_invites(request: Request, *, org: str, user: CurrentUser, database: DatabaseOf) -> Response:
    """A list, newest first."""
    return success(request, await invites.list_all(database, user, org))


@router.delete("/{org}/invites/{invite}", summary="Revoke an invite")
async def revoke_invite(
    request: Request, *, org: str, invite: int, user: CurrentUser, database: DatabaseOf
) -> Response:
    """The revoked invite."""
    return success(request, await invites.revoke(database, user, org, invite))


@router.get("/{org}/audit", summary="Audit trail")
async def list_audit(
    request: Request,
    *,
    org: str,
    user: CurrentUser,
    database: DatabaseOf,
    limit: int = 50,
    offset: int = 0,
    action: str | None = None,
    actor: str | None = None,
) -> Response:
    """`{events, total, limit, offset}`, newest first."""
    page = await audit.list_page(database, user, org, limit=limit, offset=offset, action=action, actor=actor)
    return success(request, page)


@router.post("/{org}/projects", status_code=201, summary="Create a project")
async def create_project(
    request: Request, *, org: str, user: CurrentUser, database: DatabaseOf, body: schemas.NewProject
) -> Response:
    """201 with the project."""
    created = await projects.create(
        database, user, org, name=body.name, slug=body.slug, default_branch=body.default_branch
    )
    return success(request, created, status=201)


@router.get("/{org}/projects", summary="Projects of an organisation")
async def list_projects(request: Request, *, org: str, user: CurrentUser, database: DatabaseOf) -> Response:
    """A list, by name."""
    return success(request, await projects.list_all(database, user, org))

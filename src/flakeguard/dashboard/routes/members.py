"""Members and invites of an organization."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.dashboard.forms import FORM_ERRORS, notice_of, status_of
from flakeguard.dashboard.routes.organizations import shell_of
from flakeguard.projects import invites, members
from flakeguard.projects.model import Role
from fluxbase.auth import CurrentUser, User
from fluxbase.web import Context, redirect, render

router = APIRouter(prefix="/orgs/{slug}/members")

type Text = Annotated[str, Form(max_length=320)]


async def _page(
    request: Request, user: User, slug: str, *, status: int = 200, error: str | None = None, link: str | None = None
) -> Response:
    database = request.app.state.resources.database
    shell = await shell_of(request, user, slug, "members")
    pending = await invites.list_all(database, user, slug) if shell.may_manage else []
    found = await members.list_all(database, user, slug)
    roles = [role for role in Role if role is not Role.OWNER]
    context: Context = {"members": found, "invites": pending, "roles": roles, "invite_link": link, "error": error}
    return render(request, "members.html", status=status, shell=shell, notice=notice_of(request), **context)


@router.get("")
async def members_page(request: Request, user: CurrentUser, slug: str) -> Response:
    """Who belongs to the organization, and who is invited."""
    return await _page(request, user, slug)


@router.post("/invite")
async def invite_member(
    request: Request, user: CurrentUser, slug: str, email: Text, role: Annotated[Role, Form()]
) -> Response:
    """Invite an address; the link is shown once, to be sent by whatever means."""
    try:
        _, token = await invites.create(request.app.state.resources.database, user, slug, email=email, role=role)
    except FORM_ERRORS as error:
        return await _page(request, user, slug, status=status_of(error), error=str(error))
    base = (request.app.state.settings.public_url or str(request.base_url)).rstrip("/")
    return await _page(request, user, slug, link=f"{base}/invites/accept?token={quote(token)}")


@router.post("/invites/{invite_id:int}/revoke")
async def revoke_invite(request: Request, user: CurrentUser, slug: str, invite_id: int) -> Response:
    """Take an invite back."""
    await invites.revoke(request.app.state.resources.database, user, slug, invite_id)
    return redirect(request, f"/orgs/{slug}/members?notice=invite-revoked")


@router.post("/{member_id:uuid}/role")
async def set_role(
    request: Request, user: CurrentUser, slug: str, member_id: UUID, role: Annotated[Role, Form()]
) -> Response:
    """Give a member another role."""
    try:
        await members.set_role(request.app.state.resources.database, user, slug, member_id, role)
    except FORM_ERRORS as error:
        return await _page(request, user, slug, status=status_of(error), error=str(error))
    return redirect(request, f"/orgs/{slug}/members?notice=role-changed")


@router.post("/{member_id:uuid}/remove")
async def remove_member(request: Request, user: CurrentUser, slug: str, member_id: UUID) -> Response:
    """Remove a member, or leave."""
    try:
        await members.remove(request.app.state.resources.database, user, slug, member_id)
    except FORM_ERRORS as error:
        return await _page(request, user, slug, status=status_of(error), error=str(error))
    target = "/" if member_id == user.id else f"/orgs/{slug}/members?notice=member-removed"
    return redirect(request, target)

"""Organizations: the wizard's second step, projects, audit log, settings."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.dashboard.forms import FORM_ERRORS, notice_of, status_of
from flakeguard.dashboard.glance import MANY_PROJECTS, ProjectFilter, glance
from flakeguard.dashboard.listing import Page, page_number
from flakeguard.dashboard.model import OrganizationPlace
from flakeguard.dashboard.paging import find_page
from flakeguard.dashboard.shell import Shell, organization_shell, plain_shell, reading
from flakeguard.projects import audit, organizations
from flakeguard.projects.model import AuditEvent
from fluxbase.auth import CurrentUser, User
from fluxbase.db import Connection
from fluxbase.web import Context, redirect, render

router = APIRouter(prefix="/orgs")

type Text = Annotated[str, Form(max_length=200)]


async def shell_of(request: Request, user: User, slug: str, section: str) -> Shell:
    """The frame of an organization's page, in a transaction of its own."""
    async with reading(request, user) as connection:
        return await organization_shell(request, connection, user, slug, section)


async def list_of_projects(request: Request, connection: Connection, places: Sequence[OrganizationPlace]) -> Context:
    """What `glance.html` draws: the projects of these organizations that the address asks for."""
    wanted, now = ProjectFilter.read(request.query_params), request.app.state.resources.now()
    return {
        "wanted": wanted,
        "glance": await glance(connection, [place.id for place in places], wanted, now),
        "organizations": {place.id: place.name for place in places},
        "many": sum(len(place.projects) for place in places) >= MANY_PROJECTS,
    }


@router.get("/new")
async def new_organization_page(request: Request, user: CurrentUser) -> Response:
    """The form for an organization."""
    async with reading(request, user) as connection:
        shell = await plain_shell(request, connection, user)
    return render(request, "organization_new.html", shell=shell, name="", error=None)


@router.post("/new")
async def create_organization(request: Request, user: CurrentUser, name: Text) -> Response:
    """Make an organization that the user owns."""
    try:
        made = await organizations.create(request.app.state.resources.database, user, name=name)
    except FORM_ERRORS as error:
        async with reading(request, user) as connection:
            shell = await plain_shell(request, connection, user)
        return render(
            request, "organization_new.html", status=status_of(error), shell=shell, name=name, error=str(error)
        )
    return redirect(request, f"/orgs/{made.slug}/projects/new")


@router.get("/{slug}")
async def organization_page(request: Request, user: CurrentUser, slug: str) -> Response:
    """The organization's projects."""
    async with reading(request, user) as connection:
        shell = await organization_shell(request, connection, user, slug, "projects")
        places = (shell.organization,) if shell.organization else ()
        listed = await list_of_projects(request, connection, places)
    return render(request, "organization.html", shell=shell, notice=notice_of(request), **listed)


@router.get("/{slug}/audit")
async def audit_page(request: Request, user: CurrentUser, slug: str) -> Response:
    """Who did what, newest first."""
    shell = await shell_of(request, user, slug, "audit")
    action = request.query_params.get("action", "").strip()[:100]

    async def find(page: Page) -> tuple[Sequence[AuditEvent], int]:
        log = await audit.list_page(
            request.app.state.resources.database, user, slug, limit=page.size, offset=page.offset, action=action or None
        )
        return log.events, log.total

    events, page = await find_page(page_number(request.query_params), find)
    return render(request, "audit.html", shell=shell, events=events, page=page, action=action)


@router.get("/{slug}/settings")
async def organization_settings_page(request: Request, user: CurrentUser, slug: str) -> Response:
    """Name and deletion."""
    return await _settings_page(request, user, slug)


async def _settings_page(
    request: Request,
    user: User,
    slug: str,
    *,
    status: int = 200,
    error: str | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    """The page; `typed` is what was not taken, to be mended and not typed again."""
    shell = await shell_of(request, user, slug, "settings")
    values = {"name": shell.organization.name, "slug": shell.organization.slug} if shell.organization else {}
    context: Context = {"shell": shell, "notice": notice_of(request), "error": error, "values": typed or values}
    return render(request, "organization_settings.html", status=status, **context)


@router.post("/{slug}/settings")
async def rename_organization(
    request: Request,
    user: CurrentUser,
    slug: str,
    name: Text,
    new_slug: Annotated[str, Form(max_length=64, alias="slug")],
) -> Response:
    """Change name and slug."""
    try:
        await organizations.rename(request.app.state.resources.database, user, slug, name=name, slug=new_slug)
    except FORM_ERRORS as error:
        typed = {"name": name, "slug": new_slug}
        return await _settings_page(request, user, slug, status=status_of(error), error=str(error), typed=typed)
    return redirect(request, f"/orgs/{new_slug}/settings?notice=saved")


@router.post("/{slug}/delete")
async def delete_organization(request: Request, user: CurrentUser, slug: str, confirm: Text) -> Response:
    """Delete the organization with everything in it."""
    try:
        await organizations.delete(request.app.state.resources.database, user, slug, confirm=confirm)
    except FORM_ERRORS as error:
        return await _settings_page(request, user, slug, status=status_of(error), error=str(error))
    return redirect(request, "/?notice=organization-deleted")

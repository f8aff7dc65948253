"""GitHub: binding installations, and what an organization's installations reach and told."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.dashboard.forms import notice_of
from flakeguard.dashboard.listing import Page, page_number
from flakeguard.dashboard.paging import find_page
from flakeguard.dashboard.routes.organizations import shell_of
from flakeguard.dashboard.shell import plain_shell, reading, storable_bigint
from flakeguard.github.installations import binding, managing
from flakeguard.github.installations.binding import Binding
from flakeguard.github.installations.errors import BindingNotConfiguredError
from flakeguard.github.installations.leaving import install_url
from flakeguard.github.installations.managing import Overview
from flakeguard.github.webhooks.working import App
from flakeguard.projects.model import Role
from flakeguard.settings import FlakeGuardSettings
from fluxbase.auth import CurrentUser
from fluxbase.web import Context, redirect, render

router = APIRouter()

_A_PAGE = 25


def _binding(request: Request) -> Binding:
    settings: FlakeGuardSettings = request.app.state.settings
    base = (settings.public_url or str(request.base_url)).rstrip("/")
    return Binding(request.app.state.resources, settings, callback=f"{base}/github/callback")


def _binding_if_any(request: Request) -> Binding | None:
    try:
        return _binding(request)
    except BindingNotConfiguredError:
        return None  # the page says so, and to whom to go


@router.get("/github/setup")
async def setup_page(request: Request, user: CurrentUser, installation_id: int | None = None) -> Response:
    """Where GitHub sends who installed the App: which organization is it for?"""
    async with reading(request, user) as connection:
        shell = await plain_shell(request, connection, user)
    choices: list[tuple[str, str]] = []
    bind = _binding_if_any(request)
    if installation_id is not None and bind is not None:
        choices = [
            (place.name, bind.address(user, place.slug, storable_bigint(installation_id)))
            for place in shell.places
            if place.role in (Role.OWNER, Role.ADMIN)
        ]
    context: Context = {"installation_id": installation_id, "choices": choices, "configured": bind is not None}
    return render(request, "github_setup.html", shell=shell, **context)


@router.get("/github/callback")
async def callback(request: Request, user: CurrentUser, code: str = "", state: str = "") -> Response:
    """Where GitHub sends the browser back to: bind, when the person may."""
    bound = await _binding(request).finish(user, code=code, state=state)
    return redirect(request, f"/orgs/{bound.slug}/github?notice=github-bound")


@router.get("/orgs/{slug}/github")
async def github_page(request: Request, user: CurrentUser, slug: str) -> Response:
    """Installations, repositories with their projects, deliveries with what became of each."""
    shell = await shell_of(request, user, slug, "github")
    settings: FlakeGuardSettings = request.app.state.settings

    async def find(page: Page) -> tuple[Overview, int]:
        found = await managing.overview(
            request.app.state.resources.database, user, slug, limit=page.size, offset=page.offset
        )
        return found, found.total

    found, page = await find_page(page_number(request.query_params), find, size=_A_PAGE)
    name = settings.github_app_slug
    context: Context = {
        "github": found,
        "page": page,
        "configured": _binding_if_any(request) is not None,
        "install_url": install_url(settings.github_api_url, name) if name else None,
    }
    return render(request, "github.html", shell=shell, notice=notice_of(request), **context)


@router.post("/orgs/{slug}/github/repositories/{repository_id:int}")
async def choose_project(
    request: Request,
    user: CurrentUser,
    slug: str,
    repository_id: int,
    project: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Let a project get a repository's results, or none."""
    chosen = storable_bigint(int(project)) if project.isascii() and project.isdigit() else None
    await managing.choose_project(
        request.app.state.resources.database, user, slug, storable_bigint(repository_id), chosen
    )
    return redirect(request, f"/orgs/{slug}/github?notice=saved")


@router.post("/orgs/{slug}/github/installations/{installation_id:int}/disconnect")
async def disconnect(request: Request, user: CurrentUser, slug: str, installation_id: int) -> Response:
    """Make an installation nobody's."""
    await binding.unbind(request.app.state.resources, user, slug, storable_bigint(installation_id))
    return redirect(request, f"/orgs/{slug}/github?notice=github-unbound")


@router.post("/orgs/{slug}/github/deliveries/{guid}/again")
async def deliver_again(request: Request, user: CurrentUser, slug: str, guid: str) -> Response:
    """Do a delivery once more."""
    app = App.of(request.app.state.settings)
    await managing.deliver_again(request.app.state.resources, app, user, slug, guid.replace("\0", ""))
    return redirect(request, f"/orgs/{slug}/github?notice=delivery-again#deliveries")

"""The wizard's last steps: a project, its key, the text for the CI, the first upload."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.dashboard import repository
from flakeguard.dashboard.forms import FORM_ERRORS, status_of
from flakeguard.dashboard.listing import Page
from flakeguard.dashboard.routes.organizations import shell_of
from flakeguard.dashboard.shell import project_shell, reading
from flakeguard.dashboard.snippets import snippets
from flakeguard.projects import api_keys, projects
from fluxbase.auth import CurrentUser, User
from fluxbase.web import Context, redirect, render

router = APIRouter()

type Text = Annotated[str, Form(max_length=200)]


@router.get("/orgs/{slug}/projects/new")
async def new_project_page(request: Request, user: CurrentUser, slug: str) -> Response:
    """The form for a project."""
    shell = await shell_of(request, user, slug, "projects")
    values: Context = {"name": "", "slug": "", "default_branch": "main"}
    return render(request, "project_new.html", shell=shell, values=values, error=None)


@router.post("/orgs/{slug}/projects/new")
async def create_project(
    request: Request,
    user: CurrentUser,
    slug: str,
    name: Text,
    project_slug: Annotated[str, Form(max_length=64)] = "",
    default_branch: Text = "main",
) -> Response:
    """Make a project."""
    chosen = project_slug.strip()
    try:
        made = await projects.create(
            request.app.state.resources.database,
            user,
            slug,
            name=name,
            slug=chosen or None,
            default_branch=default_branch,
        )
    except FORM_ERRORS as error:
        shell = await shell_of(request, user, slug, "projects")
        values: Context = {"name": name, "slug": chosen, "default_branch": default_branch}
        return render(
            request, "project_new.html", status=status_of(error), shell=shell, values=values, error=str(error)
        )
    return redirect(request, f"/projects/{made.id}/setup")


async def _setup(request: Request, user: User, project_id: int, *, token: str | None = None) -> Response:
    async with reading(request, user) as connection:
        shell = await project_shell(request, connection, user, project_id, "setup")
        found, total = await repository.find_uploads(connection, project_id, None, Page(1, size=3))
    project = shell.project
    base = (request.app.state.settings.public_url or str(request.base_url)).rstrip("/")
    choices = snippets(base, project.slug, project.default_branch) if project else ()
    context: Context = {"snippets": choices, "uploads": found, "total": total, "token": token}
    return render(request, "setup.html", shell=shell, **context)


@router.get("/projects/{project_id:int}/setup")
async def setup_page(request: Request, user: CurrentUser, project_id: int) -> Response:
    """Key, snippet, and the wait for the first upload."""
    return await _setup(request, user, project_id)


@router.post("/projects/{project_id:int}/setup")
async def create_first_key(request: Request, user: CurrentUser, project_id: int) -> Response:
    """Make a key and show it this once."""
    _, token = await api_keys.create(request.app.state.resources.database, user, project_id, name="CI")
    return await _setup(request, user, project_id, token=token)

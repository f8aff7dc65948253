"""A project's settings: API keys, name, deletion."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.dashboard.forms import FORM_ERRORS, notice_of, status_of
from flakeguard.dashboard.shell import project_shell, reading
from flakeguard.projects import api_keys, projects
from fluxbase.auth import CurrentUser, User
from fluxbase.web import Context, redirect, render

router = APIRouter(prefix="/projects/{project_id:int}/settings")

type Text = Annotated[str, Form(max_length=200)]


async def _keys_page(
    request: Request,
    user: User,
    project_id: int,
    *,
    status: int = 200,
    error: str | None = None,
    token: str | None = None,
) -> Response:
    async with reading(request, user) as connection:
        shell = await project_shell(request, connection, user, project_id, "settings")
    database = request.app.state.resources.database
    keys = await api_keys.list_all(database, user, project_id) if shell.may_manage else []
    context: Context = {"keys": keys, "token": token, "error": error, "now": request.app.state.resources.now()}
    return render(request, "keys.html", status=status, shell=shell, notice=notice_of(request), **context)


async def _general_page(
    request: Request,
    user: User,
    project_id: int,
    *,
    status: int = 200,
    error: str | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    """The page; `typed` is what was not taken, to be mended and not typed again."""
    async with reading(request, user) as connection:
        shell = await project_shell(request, connection, user, project_id, "settings")
    kept = shell.project
    values = {"name": kept.name, "slug": kept.slug, "default_branch": kept.default_branch} if kept else {}
    context: Context = {"shell": shell, "notice": notice_of(request), "error": error, "values": typed or values}
    return render(request, "project_settings.html", status=status, **context)


@router.get("")
async def general_page(request: Request, user: CurrentUser, project_id: int) -> Response:
    """Name, slug, default branch, danger zone."""
    return await _general_page(request, user, project_id)


@router.post("")
async def update_project(
    request: Request, user: CurrentUser, project_id: int, name: Text, slug: Text, default_branch: Text
) -> Response:
    """Change name, slug and default branch."""
    try:
        await projects.update(
            request.app.state.resources.database, user, project_id, name=name, slug=slug, default_branch=default_branch
        )
    except FORM_ERRORS as error:
        typed = {"name": name, "slug": slug, "default_branch": default_branch}
        return await _general_page(request, user, project_id, status=status_of(error), error=str(error), typed=typed)
    return redirect(request, f"/projects/{project_id}/settings?notice=saved")


@router.post("/delete")
async def delete_project(request: Request, user: CurrentUser, project_id: int, confirm: Text) -> Response:
    """Delete the project with all its evidence."""
    try:
        await projects.delete(request.app.state.resources.database, user, project_id, confirm=confirm)
    except FORM_ERRORS as error:
        return await _general_page(request, user, project_id, status=status_of(error), error=str(error))
    return redirect(request, "/?notice=project-deleted")


@router.get("/keys")
async def keys_page(request: Request, user: CurrentUser, project_id: int) -> Response:
    """The project's API keys."""
    return await _keys_page(request, user, project_id)


@router.post("/keys")
async def create_key(
    request: Request,
    user: CurrentUser,
    project_id: int,
    name: Text,
    expires_in_days: Annotated[int | None, Form()] = None,
) -> Response:
    """Make a key and show it this once."""
    try:
        _, token = await api_keys.create(
            request.app.state.resources.database, user, project_id, name=name, expires_in_days=expires_in_days
        )
    except FORM_ERRORS as error:
        return await _keys_page(request, user, project_id, status=status_of(error), error=str(error))
    return await _keys_page(request, user, project_id, token=token)


@router.post("/keys/{key_id:int}/rotate")
async def rotate_key(
    request: Request,
    user: CurrentUser,
    project_id: int,
    key_id: int,
    grace_hours: Annotated[int, Form(ge=0, le=720)] = 24,
) -> Response:
    """Make a successor; the old key works on for `grace_hours`."""
    try:
        _, token = await api_keys.rotate(
            request.app.state.resources.database, user, project_id, key_id, grace_hours=grace_hours
        )
    except FORM_ERRORS as error:
        return await _keys_page(request, user, project_id, status=status_of(error), error=str(error))
    return await _keys_page(request, user, project_id, token=token)


@router.post("/keys/{key_id:int}/revoke")
async def revoke_key(request: Request, user: CurrentUser, project_id: int, key_id: int) -> Response:
    """Refuse the key from now on."""
    await api_keys.revoke(request.app.state.resources.database, user, project_id, key_id)
    return redirect(request, f"/projects/{project_id}/settings/keys?notice=key-revoked")

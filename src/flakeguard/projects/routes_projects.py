"""Projects and their API keys."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.projects import api_keys, projects, schemas
from flakeguard.projects.dependencies import DatabaseOf, ProjectReader
from flakeguard.projects.model import Scope
from fluxbase.auth import CurrentUser
from fluxbase.http import success

router = APIRouter(prefix="/api/v1/projects", tags=["projects"])


@router.get("", summary="My projects")
async def list_mine(request: Request, *, user: CurrentUser, database: DatabaseOf) -> Response:
    """Those of all the user's organisations."""
    return success(request, await projects.list_mine(database, user))


@router.get("/current", summary="The API key's project")
async def read_current(request: Request, *, database: DatabaseOf) -> Response:
    """For keys with the scope `results:read`, which do not know the number of their project."""
    key = await api_keys.authenticate_key(database, request.headers.get("authorization"))
    key.require(Scope.RESULTS_READ)
    return success(request, key.project)


@router.get("/{project_id}", summary="One project")
async def read(request: Request, *, reader: ProjectReader) -> Response:
    """For members, and for the project's keys with the scope `results:read`."""
    return success(request, reader.project)


@router.patch("/{project_id}", summary="Change a project")
async def update(
    request: Request, *, project_id: int, user: CurrentUser, database: DatabaseOf, body: schemas.ProjectPatch
) -> Response:
    """The changed project."""
    changed = await projects.update(
        database, user, project_id, name=body.name, slug=body.slug, default_branch=body.default_branch
    )
    return success(request, changed)


@router.delete("/{project_id}", summary="Delete a project")
async def delete(
    request: Request, *, project_id: int, user: CurrentUser, database: DatabaseOf, confirm: str = ""
) -> Response:
    """What was deleted; `?confirm=` takes the slug."""
    return success(request, await projects.delete(database, user, project_id, confirm=confirm))


@router.post("/{project_id}/api-keys", status_code=201, summary="Create an API key")
async def create_key(
    request: Request, *, project_id: int, user: CurrentUser, database: DatabaseOf, body: schemas.NewApiKey
) -> Response:
    """201 with the key and, this once, its token."""
    key, token = await api_keys.create(
        database, user, project_id, name=body.name, scopes=body.scopes, expires_in_days=body.expires_in_days
    )
    return success(request, schemas.key_json(key, token), status=201)


@router.get("/{project_id}/api-keys", summary="API keys of a project")
async def list_keys(request: Request, *, project_id: int, user: CurrentUser, database: DatabaseOf) -> Response:
    """A list, revoked ones last; never a token."""
    return success(request, await api_keys.list_all(database, user, project_id))


@router.delete("/{project_id}/api-keys/{key_id}", summary="Revoke an API key")
async def revoke_key(
    request: Request, *, project_id: int, key_id: int, user: CurrentUser, database: DatabaseOf
) -> Response:
    """The revoked key; it is refused from this moment."""
    return success(request, await api_keys.revoke(database, user, project_id, key_id))


@router.post("/{project_id}/api-keys/{key_id}/rotate", status_code=201, summary="Rotate an API key")
async def rotate_key(
    request: Request,
    *,
    project_id: int,
    key_id: int,
    user: CurrentUser,
    database: DatabaseOf,
    body: schemas.Rotation | None = None,
) -> Response:
    """201 with the new key and, this once, its token. The old one is revoked at once, or after `grace_hours`."""
    grace_hours = body.grace_hours if body else 0
    key, token = await api_keys.rotate(database, user, project_id, key_id, grace_hours=grace_hours)
    return success(request, schemas.key_json(key, token), status=201)

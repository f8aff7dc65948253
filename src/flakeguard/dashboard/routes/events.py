"""The event streams that keep pages live: of one project, and of all that a list shows."""

from collections.abc import AsyncGenerator, Collection
from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from flakeguard.dashboard.live import LIST_BURST_SECONDS, LiveChanges, event_stream
from flakeguard.dashboard.shell import organization_shell, plain_shell, reading, storable_bigint
from flakeguard.projects.access import require_project
from fluxbase.auth import CurrentUser

router = APIRouter()

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get("/projects/{project_id:int}/events")
async def events(request: Request, user: CurrentUser, project_id: int, seen: float | None = None) -> Response:
    """A `change` event whenever something of the project was analysed. `seen` is when the page was made."""
    async with reading(request, user) as connection:
        await require_project(connection, user, storable_bigint(project_id))
    changes: LiveChanges = request.app.state.live
    return _stream(event_stream(changes, [project_id], _moment(seen)))


@router.get("/events")
async def events_of_all(request: Request, user: CurrentUser, seen: float | None = None) -> Response:
    """The same for all projects that the user has when it is opened."""
    async with reading(request, user) as connection:
        shell = await plain_shell(request, connection, user)
    return _of_list(request, [project.id for place in shell.places for project in place.projects], seen)


@router.get("/orgs/{slug}/events")
async def events_of_organization(request: Request, user: CurrentUser, slug: str, seen: float | None = None) -> Response:
    """The same for the projects of an organization."""
    async with reading(request, user) as connection:
        shell = await organization_shell(request, connection, user, slug, "projects")
    return _of_list(
        request, [project.id for project in shell.organization.projects] if shell.organization else [], seen
    )


def _of_list(request: Request, project_ids: Collection[int], seen: float | None) -> Response:
    changes: LiveChanges = request.app.state.live
    return _stream(event_stream(changes, project_ids, _moment(seen), LIST_BURST_SECONDS))


def _stream(body: AsyncGenerator[bytes]) -> Response:
    return StreamingResponse(body, media_type="text/event-stream", headers=_HEADERS)


def _moment(seconds: float | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
    except (ValueError, OverflowError, OSError):
        return None

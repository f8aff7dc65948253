"""The event stream that keeps a project's pages live."""

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from flakeguard.dashboard.live import LiveChanges, event_stream
from flakeguard.dashboard.shell import reading, storable_bigint
from flakeguard.projects.access import require_project
from fluxbase.auth import CurrentUser

router = APIRouter(prefix="/projects/{project_id:int}")

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get("/events")
async def events(request: Request, user: CurrentUser, project_id: int, seen: float | None = None) -> Response:
    """A `change` event whenever something of the project was analysed. `seen` is when the page was made."""
    async with reading(request, user) as connection:
        await require_project(connection, user, storable_bigint(project_id))
    changes: LiveChanges = request.app.state.live
    return StreamingResponse(
        event_stream(changes, project_id, _moment(seen)), media_type="text/event-stream", headers=_HEADERS
    )


def _moment(seconds: float | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
    except (ValueError, OverflowError, OSError):
        return None

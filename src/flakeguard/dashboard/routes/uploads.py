"""What arrived, how far it came, and what was wrong with it."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.dashboard import repository
from flakeguard.dashboard.listing import page_number
from flakeguard.dashboard.paging import find_page
from flakeguard.dashboard.shell import project_shell, reading
from fluxbase.auth import CurrentUser
from fluxbase.web import Context, render

router = APIRouter(prefix="/projects/{project_id:int}/uploads")

_A_PAGE = 25
STATES = ("accepted", "stored", "analyzed", "failed")


@router.get("")
async def uploads_page(request: Request, user: CurrentUser, project_id: int) -> Response:
    """Uploads, newest first, with their files."""
    asked = request.query_params.get("state", "")
    state = asked if asked in STATES else ""
    number = page_number(request.query_params)
    async with reading(request, user) as connection:
        shell = await project_shell(request, connection, user, project_id, "uploads")
        uploads, page = await find_page(
            number,
            lambda page: repository.find_uploads(connection, project_id, state or None, page),
            size=_A_PAGE,
        )
    context: Context = {"uploads": uploads, "page": page, "state": state, "states": STATES}
    return render(request, "uploads.html", shell=shell, **context)

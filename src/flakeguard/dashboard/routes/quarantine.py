"""The project's quarantine: what waits for somebody, what is in it until when, what ended; and the buttons."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.analysis.settings import analysis_config
from flakeguard.dashboard.forms import FORM_ERRORS, notice_of, status_of
from flakeguard.dashboard.listing import page_number
from flakeguard.dashboard.paging import find_page
from flakeguard.dashboard.quarantine import in_words
from flakeguard.dashboard.shell import project_shell, reading, storable_bigint
from flakeguard.quarantine import managing, repository
from flakeguard.quarantine.policy import DEFAULT_POLICY
from fluxbase.auth import CurrentUser, User
from fluxbase.web import Context, redirect, render

router = APIRouter(prefix="/projects/{project_id:int}")

_A_PAGE = 25
_MOST_OPEN = 500

type Text = Annotated[str, Form(max_length=2 * managing.LONGEST_REASON)]
type Place = Annotated[str, Form(max_length=20)]


@router.get("/quarantine")
async def quarantine_page(request: Request, user: CurrentUser, project_id: int) -> Response:
    """Open decisions, and a page of those that ended."""
    return await _page(request, user, project_id)


async def _page(
    request: Request, user: User, project_id: int, *, status: int = 200, error: str | None = None
) -> Response:
    number = page_number(request.query_params)
    async with reading(request, user) as connection:
        shell = await project_shell(request, connection, user, project_id, "quarantine")
        held, open_total = await repository.list_decisions(
            connection, project_id, is_open=True, limit=_MOST_OPEN, offset=0
        )
        ended, page = await find_page(
            number,
            lambda page: repository.list_decisions(
                connection, project_id, is_open=False, limit=page.size, offset=page.offset
            ),
            size=_A_PAGE,
        )
    context: Context = {
        "held": [in_words(one) for one in held],
        "hidden": open_total - len(held),
        "ended": [in_words(one) for one in ended],
        "page": page,
        "policy": DEFAULT_POLICY,
        "error": error,
    }
    return render(request, "quarantine.html", status=status, shell=shell, notice=notice_of(request), **context)


@router.post("/flakes/{test_case_id:int}/quarantine")
async def quarantine(
    request: Request, user: CurrentUser, project_id: int, test_case_id: int, reason: Text = "", back: Place = ""
) -> Response:
    """Quarantine a test."""
    resources = request.app.state.resources
    try:
        await managing.quarantine(
            resources.database, user, project_id, storable_bigint(test_case_id), reason=reason,
            policy=DEFAULT_POLICY, config=analysis_config(request.app.state.settings), now=resources.now(),
        )  # fmt: skip
    except FORM_ERRORS as error:
        return await _page(request, user, project_id, status=status_of(error), error=str(error))
    return _done(request, project_id, test_case_id, back, "quarantined")


@router.post("/flakes/{test_case_id:int}/quarantine/dismiss")
async def dismiss(
    request: Request, user: CurrentUser, project_id: int, test_case_id: int, back: Place = ""
) -> Response:
    """Dismiss what is proposed of a test."""
    resources = request.app.state.resources
    try:
        await managing.dismiss(
            resources.database, user, project_id, storable_bigint(test_case_id), policy=DEFAULT_POLICY,
            now=resources.now(),
        )  # fmt: skip
    except FORM_ERRORS as error:
        return await _page(request, user, project_id, status=status_of(error), error=str(error))
    return _done(request, project_id, test_case_id, back, "dismissed")


@router.post("/flakes/{test_case_id:int}/quarantine/end")
async def end(request: Request, user: CurrentUser, project_id: int, test_case_id: int, back: Place = "") -> Response:
    """End a test's quarantine."""
    resources = request.app.state.resources
    try:
        await managing.end(resources.database, user, project_id, storable_bigint(test_case_id), now=resources.now())
    except FORM_ERRORS as error:
        return await _page(request, user, project_id, status=status_of(error), error=str(error))
    return _done(request, project_id, test_case_id, back, "quarantine-ended")


def _done(request: Request, project_id: int, test_case_id: int, back: str, notice: str) -> Response:
    """To where the button was: the project's list, or else the test."""
    place = "quarantine" if back == "list" else f"flakes/{test_case_id}"
    return redirect(request, f"/projects/{project_id}/{place}?notice={notice}")

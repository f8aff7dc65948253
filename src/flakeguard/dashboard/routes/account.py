"""The account page: password, sessions, deletion."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.dashboard import sessions
from flakeguard.dashboard.forms import FORM_ERRORS, notice_of, status_of
from flakeguard.dashboard.shell import plain_shell, reading
from fluxbase.auth import CurrentUser, User, accounts_of, clear_session_cookie, client_of
from fluxbase.web import redirect, render

router = APIRouter(prefix="/account")

type Text = Annotated[str, Form(max_length=1000)]


async def _page(request: Request, user: User, status: int = 200, **errors: str) -> Response:
    resources = request.app.state.resources
    async with reading(request, user) as connection:
        shell = await plain_shell(request, connection, user, "account")
    found: Sequence[Any] = await sessions.list_all(resources.database, user, resources.now())
    return render(
        request,
        "account.html",
        status=status,
        shell=shell,
        sessions=found,
        notice=notice_of(request),
        errors=errors,
        shortest=request.app.state.settings.password_min_length,
    )


@router.get("")
async def account_page(request: Request, user: CurrentUser) -> Response:
    """The signed-in user's account."""
    return await _page(request, user)


@router.post("/password")
async def change_password(request: Request, user: CurrentUser, current: Text, new: Text) -> Response:
    """Set a new password."""
    try:
        await accounts_of(request).change_password(user, current=current, new=new, client=client_of(request))
    except FORM_ERRORS as error:
        return await _page(request, user, status_of(error), password=str(error))
    return redirect(request, "/account?notice=password-changed")


@router.post("/sessions/end")
async def end_session(request: Request, user: CurrentUser, session: Annotated[UUID | None, Form()] = None) -> Response:
    """End one session, or all others when none is named."""
    await sessions.end(request.app.state.resources.database, user, session)
    return redirect(request, "/account?notice=sessions-ended")


@router.post("/delete")
async def delete_account(
    request: Request, user: CurrentUser, password: Text, delete_organizations: Annotated[str, Form()] = ""
) -> Response:
    """Delete the account."""
    try:
        await accounts_of(request).delete_account(
            user, password=password, delete_organizations=bool(delete_organizations), client=client_of(request)
        )
    except FORM_ERRORS as error:
        return await _page(request, user, status_of(error), delete=str(error))
    response = redirect(request, "/signin?notice=account-deleted")
    clear_session_cookie(response, request)
    return response

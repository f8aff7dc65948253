"""The way in and out: start page, sign-up, sign-out, invites. Signing in has a module of its own."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.dashboard.forms import FORM_ERRORS, notice_of, status_of
from flakeguard.dashboard.routes.organizations import list_of_projects
from flakeguard.dashboard.shell import Shell, plain_shell, reading
from flakeguard.projects import invites
from fluxbase.auth import (
    ConfirmationNeeded,
    CurrentUser,
    OptionalUser,
    accounts_of,
    clear_session_cookie,
    client_of,
    sessions,
    set_session_cookie,
    signing_up,
)
from fluxbase.auth.signing_up import signup_state
from fluxbase.http.cookies import session_token
from fluxbase.web import Context, redirect, render

router = APIRouter()

type Text = Annotated[str, Form(max_length=1000)]


@router.get("/")
async def home(request: Request, user: OptionalUser) -> Response:
    """Every project of the user; the way on for somebody new."""
    if user is None:
        first = (await signup_state(accounts_of(request))).first_account
        return redirect(request, "/signup" if first else "/signin")
    async with reading(request, user) as connection:
        shell = await plain_shell(request, connection, user, "home")
        if (target := _first_steps(request, shell)) is not None:
            return redirect(request, target)
        listed = await list_of_projects(request, connection, shell.places)
    return render(request, "home.html", shell=shell, notice=notice_of(request), **listed)


def _first_steps(request: Request, shell: Shell) -> str | None:
    """Where somebody goes who has no list of projects to look at, or a list of one."""
    projects = [project for place in shell.places for project in place.projects]
    if not shell.places:
        return "/orgs/new"
    if not projects:
        mine = next((place for place in shell.places if place.may_manage), None)
        return f"/orgs/{mine.slug}/projects/new" if mine else f"/orgs/{shell.places[0].slug}"
    if len(projects) == 1 and not request.query_params:
        return f"/projects/{projects[0].id}"
    return None


@router.get("/signup")
async def sign_up_page(request: Request, user: OptionalUser) -> Response:
    """The form to make an account, the first step of the wizard."""
    if user is not None:
        return redirect(request, "/")
    return await _sign_up_page(request, request.query_params.get("invite", ""))


async def _sign_up_page(
    request: Request, invite_token: str, *, email: str = "", error: str | None = None, status: int = 200
) -> Response:
    invite = await invites.peek(request.app.state.resources.database, invite_token) if invite_token else None
    accounts = accounts_of(request)
    context: Context = {
        "state": await signup_state(accounts),
        "invite": invite,
        "invite_token": invite_token,
        "email": email or (invite.email if invite else ""),
        "shortest": accounts.settings.password_min_length,
    }
    return render(request, "signup.html", status=status, error=error, **context)


@router.post("/signup")
async def sign_up(request: Request, email: Text, password: Text, invite_token: Text = "") -> Response:
    """Make an account and a session for it; with an invite, join its organization."""
    try:
        result = await signing_up.sign_up(
            accounts_of(request),
            email=email,
            password=password,
            client=client_of(request),
            invite_token=invite_token or None,
        )
    except FORM_ERRORS as error:
        return await _sign_up_page(request, invite_token, email=email, error=str(error), status=status_of(error))
    if isinstance(result, ConfirmationNeeded):
        return redirect(request, "/signin?notice=confirm-email")
    response = redirect(request, f"/invites/accept?token={quote(invite_token)}" if invite_token else "/orgs/new")
    set_session_cookie(response, request, result)
    return response


@router.post("/signout")
async def sign_out(request: Request) -> Response:
    """End the session."""
    token = session_token(request)
    if token is not None:
        await sessions.sign_out(accounts_of(request), token, client_of(request))
    response = redirect(request, "/signin?notice=signed-out")
    clear_session_cookie(response, request)
    return response


@router.get("/invites/accept")
async def invite_page(request: Request, user: OptionalUser, token: str = "") -> Response:
    """What an invite's link opens: who is new signs up first, who is known says yes."""
    if user is None:
        return redirect(request, f"/signup?invite={quote(token)}")
    invite = await invites.peek(request.app.state.resources.database, token)
    async with reading(request, user) as connection:
        shell = await plain_shell(request, connection, user)
    return render(request, "invite.html", shell=shell, invite=invite, token=token, error=None)


@router.post("/invites/accept")
async def accept_invite(request: Request, user: CurrentUser, token: Text) -> Response:
    """Join the organization of an invite."""
    database = request.app.state.resources.database
    try:
        organization = await invites.accept(database, user, token)
    except FORM_ERRORS as error:
        invite = await invites.peek(database, token)
        async with reading(request, user) as connection:
            shell = await plain_shell(request, connection, user)
        context: Context = {"shell": shell, "invite": invite, "token": token}
        return render(request, "invite.html", status=status_of(error), error=str(error), **context)
    return redirect(request, f"/orgs/{organization.slug}?notice=invite-accepted")

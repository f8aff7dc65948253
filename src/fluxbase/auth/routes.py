"""`/api/v1/auth`: accounts and sessions. `login` and `logout` are further names of `signin` and `signout`."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from fluxbase.auth import own_account, sessions, signing_in, signing_up
from fluxbase.auth.dependencies import (
    CurrentUser,
    accounts_of,
    bearer_session,
    clear_session_cookie,
    client_of,
    current_user,
)
from fluxbase.auth.mail.routes import router as mail_router
from fluxbase.auth.metadata import checked_metadata
from fluxbase.auth.providers.routes import router as providers_router
from fluxbase.auth.responses import Redirect, Text, answer
from fluxbase.auth.second_factor.routes import router as second_factor_router
from fluxbase.auth.sessions import SignOutScope
from fluxbase.http import cookies

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])


class SignUpBody(BaseModel):
    """`invite_token` is needed where the sign-up policy is `invited`; `redirect_to` is for the mail that confirms."""

    email: Text
    password: Text
    user_metadata: dict[str, Any] = Field(default_factory=dict)
    invite_token: Text | None = None
    redirect_to: Redirect | None = None


class SignInBody(BaseModel):
    """Address and password."""

    email: Text
    password: Text


class RefreshBody(BaseModel):
    """The refresh token that came with the access token before."""

    refresh_token: Text


class SignOutBody(BaseModel):
    """`local` ends this session, `others` every other one, `global` all."""

    scope: SignOutScope = SignOutScope.LOCAL


class UserPatch(BaseModel):
    """A new password needs the current one; of accounts that have none, a code of the second factor.

    `app_metadata` is the operator's, not the user's.
    """

    password: Text | None = None
    current_password: Text | None = None
    code: Text | None = None
    user_metadata: dict[str, Any] | None = None


class DeleteAccountBody(BaseModel):
    """`delete_organizations` confirms that organisations without other members go with the account.

    `code` is of the second factor, for accounts that have no password.
    """

    password: Text | None = None
    code: Text | None = None
    delete_organizations: bool = False


@router.post("/signup", status_code=201, summary="Make an account")
async def sign_up(request: Request, body: SignUpBody) -> Response:
    """201 with user, access token and its lifetime in seconds; the same session as a cookie for browsers.

    Where addresses must be confirmed: 201 `{user: null, requires_email_confirmation: true}`.
    """
    result = await signing_up.sign_up(
        accounts_of(request),
        email=body.email,
        password=body.password,
        client=client_of(request),
        invite_token=body.invite_token,
        user_metadata=body.user_metadata,
        redirect_to=body.redirect_to,
    )
    return answer(request, result, status=201)


@router.post("/signin", summary="Sign in")
@router.post("/login", summary="Sign in (further name)")
async def sign_in(request: Request, body: SignInBody) -> Response:
    """200 with user, access token and its lifetime in seconds; the same session as a cookie for browsers.

    With a second factor: `{requires_2fa: true, challenge, expires_in}`.
    """
    result = await signing_in.sign_in(
        accounts_of(request),
        email=body.email,
        password=body.password,
        client=client_of(request),
        previous_token=cookies.session_token(request),
    )
    return answer(request, result)


@router.post("/refresh", summary="The next access token")
async def refresh(request: Request, body: RefreshBody) -> Response:
    """200 with an access token and the next refresh token; the one that was sent is used up."""
    return answer(request, await sessions.refresh(accounts_of(request), body.refresh_token, client_of(request)))


@router.post("/signout", status_code=204, summary="Sign out")
@router.post("/logout", status_code=204, summary="Sign out (further name)")
async def sign_out(request: Request, body: SignOutBody | None = None) -> Response:
    """204, also when there was nothing to sign out of."""
    scope = body.scope if body else SignOutScope.LOCAL
    if scope is SignOutScope.LOCAL:
        await _sign_out_here(request)
    else:
        user = await current_user(request)
        here_too = scope is SignOutScope.GLOBAL
        await sessions.sign_out_elsewhere(accounts_of(request), user, client_of(request), here_too=here_too)
    response = Response(status_code=204)
    if scope is not SignOutScope.OTHERS:
        clear_session_cookie(response, request)
    return response


async def _sign_out_here(request: Request) -> None:
    bearer = "authorization" in request.headers
    session = bearer_session(request) if bearer else cookies.session_token(request)
    if session is not None:
        await sessions.sign_out(accounts_of(request), session, client_of(request))


@router.get("/sessions", summary="Where am I signed in?")
async def list_sessions(request: Request, user: CurrentUser) -> list[dict[str, Any]]:
    """The user's sessions, the one used last first; `current` is the one that asks."""
    found = await sessions.sessions_of(accounts_of(request), user)
    return [session.as_json(user.session_id) for session in found]


@router.delete("/sessions/{session_id}", status_code=204, summary="End a session")
async def end_session(request: Request, user: CurrentUser, session_id: UUID) -> Response:
    """204; 404 when it is none of the user's."""
    await sessions.end(accounts_of(request), user, session_id, client_of(request))
    return Response(status_code=204)


@router.get("/user", summary="Who am I?")
async def read_user(user: CurrentUser) -> dict[str, Any]:
    """The signed-in user, bare."""
    return user.as_json()


@router.patch("/user", summary="Change password or metadata")
async def update_user(request: Request, user: CurrentUser, body: UserPatch) -> dict[str, Any]:
    """The changed user. A new password ends every other session."""
    accounts = accounts_of(request)
    if body.user_metadata is not None:
        checked_metadata(body.user_metadata)  # before anything is changed
    if body.password is not None:
        await own_account.change_password(
            accounts,
            user,
            current=body.current_password,
            new=body.password,
            code=body.code,
            client=client_of(request),
        )
    if body.user_metadata is not None:
        user = await own_account.update_metadata(accounts, user, body.user_metadata)
    return user.as_json()


@router.delete("/user", status_code=204, summary="Delete the account")
async def delete_user(request: Request, user: CurrentUser, body: DeleteAccountBody) -> Response:
    """204. 409 while the user is the last owner of an organisation that has other members."""
    await own_account.delete_account(
        accounts_of(request),
        user,
        password=body.password,
        code=body.code,
        delete_organizations=body.delete_organizations,
        client=client_of(request),
    )
    response = Response(status_code=204)
    clear_session_cookie(response, request)
    return response


for part in (mail_router, second_factor_router, providers_router):
    router.include_router(part)

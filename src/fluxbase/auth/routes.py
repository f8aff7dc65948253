"""`/api/v1/auth`. `login` and `logout` are further names of `signin` and `signout`."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fluxbase.auth.accounts import SignedIn
from fluxbase.auth.dependencies import (
    CurrentUser,
    accounts_of,
    bearer_session,
    clear_session_cookie,
    client_of,
    set_session_cookie,
)
from fluxbase.auth.errors import WrongPasswordError
from fluxbase.http import cookies
from fluxbase.http.csrf import token_for

router = APIRouter(prefix="/api/v1/auth", tags=["auth"])

_LONGEST_FIELD = 1024


class SignUpBody(BaseModel):
    """`invite_token` is needed where the sign-up policy is `invited`."""

    email: str = Field(max_length=_LONGEST_FIELD)
    password: str = Field(max_length=_LONGEST_FIELD)
    user_metadata: dict[str, Any] = Field(default_factory=dict)
    invite_token: str | None = Field(None, max_length=_LONGEST_FIELD)


class SignInBody(BaseModel):
    """Address and password."""

    email: str = Field(max_length=_LONGEST_FIELD)
    password: str = Field(max_length=_LONGEST_FIELD)


class UserPatch(BaseModel):
    """A new password needs the current one."""

    password: str | None = Field(None, max_length=_LONGEST_FIELD)
    current_password: str | None = Field(None, max_length=_LONGEST_FIELD)
    user_metadata: dict[str, Any] | None = None


class DeleteAccountBody(BaseModel):
    """`delete_organizations` confirms that organisations without other members go with the account."""

    password: str = Field(max_length=_LONGEST_FIELD)
    delete_organizations: bool = False


@router.post("/signup", status_code=201, summary="Make an account")
async def sign_up(request: Request, body: SignUpBody) -> Response:
    """201 with user, access token and its lifetime in seconds; the same session as a cookie for browsers."""
    signed_in = await accounts_of(request).sign_up(
        email=body.email,
        password=body.password,
        client=client_of(request),
        invite_token=body.invite_token,
        user_metadata=body.user_metadata,
    )
    return _signed_in(request, signed_in, status=201)


@router.post("/signin", summary="Sign in")
@router.post("/login", summary="Sign in (further name)")
async def sign_in(request: Request, body: SignInBody) -> Response:
    """200 with user, access token and its lifetime in seconds; the same session as a cookie for browsers."""
    signed_in = await accounts_of(request).sign_in(
        email=body.email,
        password=body.password,
        client=client_of(request),
        previous_token=cookies.session_token(request),
    )
    return _signed_in(request, signed_in, status=200)


def _signed_in(request: Request, signed_in: SignedIn, *, status: int) -> Response:
    secret: str = request.app.state.resources.addresses.secret
    body = {
        "user": signed_in.user.as_json(),
        "access_token": signed_in.access_token,
        "token_type": "bearer",
        "expires_in": signed_in.access_expires_in_seconds,
        "csrf_token": token_for(secret, signed_in.token),
    }
    response = JSONResponse(body, status_code=status)
    set_session_cookie(response, request, signed_in)
    return response


@router.post("/signout", status_code=204, summary="Sign out")
@router.post("/logout", status_code=204, summary="Sign out (further name)")
async def sign_out(request: Request) -> Response:
    """204, also when there was nothing to sign out of."""
    bearer = "authorization" in request.headers
    session = bearer_session(request) if bearer else cookies.session_token(request)
    if session is not None:
        await accounts_of(request).sign_out(session, client=client_of(request))
    response = Response(status_code=204)
    clear_session_cookie(response, request)
    return response


@router.get("/user", summary="Who am I?")
async def read_user(user: CurrentUser) -> dict[str, Any]:
    """The signed-in user, bare."""
    return user.as_json()


@router.patch("/user", summary="Change password or metadata")
async def update_user(request: Request, user: CurrentUser, body: UserPatch) -> dict[str, Any]:
    """The changed user. A new password ends every other session."""
    accounts = accounts_of(request)
    if body.password is not None:
        if body.current_password is None:
            raise WrongPasswordError("A new password needs current_password.")
        await accounts.change_password(
            user, current=body.current_password, new=body.password, client=client_of(request)
        )
    if body.user_metadata is not None:
        user = await accounts.update_metadata(user, body.user_metadata)
    return user.as_json()


@router.delete("/user", status_code=204, summary="Delete the account")
async def delete_user(request: Request, user: CurrentUser, body: DeleteAccountBody) -> Response:
    """204. 409 while the user is the last owner of an organisation that has other members."""
    await accounts_of(request).delete_account(
        user,
        password=body.password,
        delete_organizations=body.delete_organizations,
        client=client_of(request),
    )
    response = Response(status_code=204)
    clear_session_cookie(response, request)
    return response

"""From a request to its user: by `Authorization: Bearer <access token>`, or by the browser's cookie."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from fluxbase.auth import access_tokens, sessions
from fluxbase.auth.accounts import AccountHooks, Accounts
from fluxbase.auth.model import Client, SignedIn, User
from fluxbase.errors import NotAuthenticatedError
from fluxbase.http import cookies
from fluxbase.http.context import client_address
from fluxbase.http.credentials import credentials_of
from fluxbase.monitoring.metrics import metrics_of
from fluxbase.ratelimit import limiter_of


def accounts_of(request: HTTPConnection) -> Accounts:
    """The accounts' use cases on this application's resources; `app.state.account_hooks` is the application's word."""
    state = request.app.state
    hooks: AccountHooks = getattr(state, "account_hooks", AccountHooks())
    return Accounts(state.resources, state.settings, limiter_of(request), metrics_of(request.app), hooks)


def client_of(request: HTTPConnection) -> Client:
    """Address and browser of a request."""
    return Client(ip=client_address(request), user_agent=request.headers.get("user-agent"))


async def optional_user(request: Request) -> User | None:
    """The signed-in user, None for everybody else. Looked up once a request. A bearer token wins over a cookie.

    Raises:
        InvalidTokenError: 401, there is a bearer token and it is none of ours.
    """
    if not hasattr(request.state, "user"):
        request.state.user = await _find_user(request)
    return request.state.user


async def _find_user(request: Request) -> User | None:
    accounts = accounts_of(request)
    if "authorization" in request.headers:
        session_id = bearer_session(request)
        return await sessions.user_of_session(accounts, session_id) if session_id else None
    token = cookies.session_token(request)
    return await sessions.user_of(accounts, token) if token else None


def bearer_session(request: HTTPConnection) -> UUID | None:
    """The session that the request's access token names; None without one, or for a token of a role alone.

    Raises:
        InvalidTokenError: 401.
    """
    token = credentials_of(request.scope).bearer
    if token is None:
        return None
    named = access_tokens.verify(request.app.state.resources.addresses.secret, token).get("session_id")
    try:
        return UUID(named) if named else None
    except ValueError as error:
        raise access_tokens.InvalidTokenError from error


async def current_user(request: Request) -> User:
    """The signed-in user.

    Raises:
        NotAuthenticatedError: 401.
    """
    user = await optional_user(request)
    if user is None:
        raise NotAuthenticatedError
    return user


CurrentUser = Annotated[User, Depends(current_user)]
OptionalUser = Annotated[User | None, Depends(optional_user)]


def set_session_cookie(response: Response, request: HTTPConnection, signed_in: SignedIn) -> None:
    """Hand the session to the browser. One that was refreshed has no token: the browser holds its cookie already."""
    if signed_in.token is not None:
        cookies.set_session(response, request, signed_in.token, max_age_seconds=signed_in.expires_in_seconds)


def clear_session_cookie(response: Response, request: HTTPConnection) -> None:
    """Make the browser forget its session."""
    cookies.clear_session(response, request)

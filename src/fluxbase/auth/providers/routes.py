"""`/api/v1/auth/oauth` and `/api/v1/auth/identities`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from fluxbase.auth import proving, redirects
from fluxbase.auth.dependencies import CurrentUser, accounts_of, client_of, set_session_cookie
from fluxbase.auth.mail import links
from fluxbase.auth.model import SecondStep, SignedIn
from fluxbase.auth.one_time import Purpose
from fluxbase.auth.providers import configured, flow, linking
from fluxbase.auth.providers.errors import InvalidStateError, ProviderRefusedError
from fluxbase.auth.providers.flow import Arrived, Leaving
from fluxbase.auth.providers.repository import Departure
from fluxbase.auth.responses import Redirect, Text, answer
from fluxbase.errors import FluxbaseError
from fluxbase.http.cookies import uses_tls

router = APIRouter()

_COOKIE, _PATH = "fluxbase_oauth", "/api/v1/auth/oauth"

type Parameter = Annotated[str, Query(max_length=4000)]


class ConnectBody(BaseModel):
    """Where to go when it is done."""

    redirect_to: Redirect | None = None


class ExchangeBody(BaseModel):
    """The code that `redirect_to` was given."""

    code: Text


@router.get("/oauth/providers", summary="Who can be signed in with?")
async def providers(request: Request) -> list[dict[str, Any]]:
    """`[{name, title}]`."""
    return [{"name": found.name, "title": found.title} for found in configured.every(request.app.state.settings)]


@router.get("/oauth/{provider}/authorize", status_code=302, summary="Sign in with a provider")
async def authorize(request: Request, provider: str, redirect_to: Parameter | None = None) -> Response:
    """302 to the provider.

    Afterwards `redirect_to` is opened with the session's cookie; of another origin it gets `?code=` for
    `/oauth/exchange` instead; without it the callback answers like signing in.
    """
    leaving = await flow.leave(accounts_of(request), provider, client=client_of(request), redirect_to=redirect_to)
    return remember(request, RedirectResponse(leaving.url, status_code=302), leaving)


@router.post("/identities/{provider}", summary="Connect an identity")
async def connect(request: Request, user: CurrentUser, provider: str, body: ConnectBody) -> Response:
    """`{url}`, for the browser that asks, within ten minutes. 403 when the session was opened longer ago than that."""
    proving.require_recent(accounts_of(request), user)
    leaving = await flow.leave(
        accounts_of(request),
        provider,
        client=client_of(request),
        redirect_to=body.redirect_to,
        link_to=user,
    )
    return remember(request, JSONResponse({"url": leaving.url}), leaving)


def remember(request: Request, response: Response, leaving: Leaving) -> Response:
    """`response` with the cookie by which the browser is known when it comes back."""
    response.set_cookie(
        _COOKIE,
        leaving.browser,
        max_age=int(flow.LIFETIME.total_seconds()),
        path=_PATH,
        secure=uses_tls(request),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/oauth/{provider}/callback", summary="Back from a provider")
async def callback(
    request: Request, provider: str, state: Parameter = "", code: Parameter = "", error: Parameter = ""
) -> Response:
    """What the provider sends the browser back to."""
    browser = request.cookies.get(_COOKIE, "")
    if not state or not browser:
        raise InvalidStateError
    accounts, client = accounts_of(request), client_of(request)
    departure = await flow.depart_of(accounts, provider, state=state, browser=browser, client=client)
    try:
        if error or not code:
            raise ProviderRefusedError
        arrived = await flow.arrive(accounts, provider, departure, code=code, client=client)
    except FluxbaseError as failure:
        if departure.redirect_to is None:
            raise
        return RedirectResponse(redirects.with_query(departure.redirect_to, error=failure.code), status_code=303)
    response = _arrived(request, departure, arrived)
    response.delete_cookie(_COOKIE, path=_PATH)
    return response


def _arrived(request: Request, departure: Departure, arrived: Arrived) -> Response:
    target, result = departure.redirect_to, arrived.result
    if target is None:
        return answer(request, result) if result else JSONResponse({"connected": True})
    if arrived.code is not None:
        return RedirectResponse(redirects.with_query(target, code=arrived.code), status_code=303)
    if isinstance(result, SecondStep):
        accounts = accounts_of(request)
        page = links.page(accounts.settings, accounts.hooks, Purpose.SECOND_FACTOR)
        return RedirectResponse(
            redirects.with_query(page, type="second_factor", challenge=result.challenge, next=target), status_code=303
        )
    response = RedirectResponse(target, status_code=303)
    if isinstance(result, SignedIn):
        set_session_cookie(response, request, result)
    return response


@router.post("/oauth/exchange", summary="The session for a code")
async def exchange(request: Request, body: ExchangeBody) -> Response:
    """As signing in."""
    return answer(request, await flow.exchange(accounts_of(request), body.code, client_of(request)))


@router.get("/identities", summary="Which identities are connected?")
async def list_identities(request: Request, user: CurrentUser) -> list[dict[str, Any]]:
    """`[{id, provider, email, created_at, last_sign_in_at}]`."""
    return [identity.as_json() for identity in await linking.identities_of(accounts_of(request), user)]


@router.delete("/identities/{identity_id}", status_code=204, summary="Disconnect an identity")
async def disconnect(request: Request, user: CurrentUser, identity_id: UUID) -> Response:
    """204. Sessions that it opened end. 409 when it is the only way in."""
    await linking.disconnect(accounts_of(request), user, identity_id, client_of(request))
    return Response(status_code=204)

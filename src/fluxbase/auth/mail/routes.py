"""Mail that proves an address, asked for and followed. Asking answers 202 whether or not there is such an account."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from fluxbase.auth import redirects
from fluxbase.auth.dependencies import accounts_of, client_of, set_session_cookie
from fluxbase.auth.mail import following, pages, requests
from fluxbase.auth.mail.requests import MailPurpose
from fluxbase.auth.model import SecondStep, SignedIn
from fluxbase.auth.one_time import Purpose
from fluxbase.auth.responses import LONGEST_FIELD, Redirect, Text, answer
from fluxbase.auth.second_factor import second_step
from fluxbase.errors import FluxbaseError
from fluxbase.http.problem import problem_of

router = APIRouter()

type Shown = Annotated[str, Query(max_length=LONGEST_FIELD)]
type Entered = Annotated[str, Form(max_length=LONGEST_FIELD)]

_ASKED = {"message": "If there is an account with this address, a mail is on its way."}


class AddressBody(BaseModel):
    """`redirect_to` is where the mail's link leads; it has to be ours, or one of FLUXBASE_AUTH_REDIRECT_URLS."""

    email: Text
    redirect_to: Redirect | None = None


class TokenBody(BaseModel):
    """The token of a mail's link."""

    token: Text


class NewPasswordBody(TokenBody):
    """The token of a mail's link, and the password to set."""

    password: Text


class CodeBody(BaseModel):
    """The address, and the code that was sent to it."""

    email: Text
    code: Text


async def _ask(request: Request, purpose: MailPurpose, body: AddressBody) -> Response:
    await requests.ask(
        accounts_of(request),
        purpose,
        email=body.email,
        client=client_of(request),
        redirect_to=body.redirect_to,
    )
    return JSONResponse(_ASKED, status_code=202)


@router.post("/password/reset", status_code=202, summary="Ask for a mail to set a new password")
async def ask_for_reset(request: Request, body: AddressBody) -> Response:
    """202, always the same."""
    return await _ask(request, "recovery", body)


@router.post("/password/reset/confirm", status_code=204, summary="Set a new password by a mail's token")
async def reset_password(request: Request, body: NewPasswordBody) -> Response:
    """204. Every session of the account ends, and its lock."""
    await following.reset_password(accounts_of(request), body.token, body.password, client_of(request))
    return Response(status_code=204)


@router.post("/verify-email", summary="Confirm an address by a mail's token")
async def verify_email(request: Request, body: TokenBody) -> dict[str, Any]:
    """200 `{"confirmed": true}`."""
    await following.verify_email(accounts_of(request), body.token, client_of(request))
    return {"confirmed": True}


@router.post("/verify-email/resend", status_code=202, summary="Ask for the mail to confirm an address once more")
async def ask_for_confirmation(request: Request, body: AddressBody) -> Response:
    """202, always the same."""
    return await _ask(request, "confirmation", body)


@router.post("/magiclink", status_code=202, summary="Ask for a mail with a link to sign in")
async def ask_for_link(request: Request, body: AddressBody) -> Response:
    """202, always the same."""
    return await _ask(request, "magiclink", body)


@router.post("/magiclink/verify", summary="Sign in by a mail's token")
async def sign_in_by_link(request: Request, body: TokenBody) -> Response:
    """As signing in."""
    return answer(request, await following.sign_in_by_link(accounts_of(request), body.token, client_of(request)))


@router.post("/otp", status_code=202, summary="Ask for a mail with a code to sign in")
async def ask_for_code(request: Request, body: AddressBody) -> Response:
    """202, always the same."""
    return await _ask(request, "otp", body)


@router.post("/otp/verify", summary="Sign in by a mail's code")
async def sign_in_by_code(request: Request, body: CodeBody) -> Response:
    """As signing in."""
    result = await following.sign_in_by_code(
        accounts_of(request), email=body.email, code=body.code, client=client_of(request)
    )
    return answer(request, result)


@router.get("/link", include_in_schema=False)
async def link_page(
    token: Shown = "",
    challenge: Shown = "",
    kind: Annotated[str, Query(alias="type", max_length=100)] = "",
    target: Annotated[str, Query(alias="next", max_length=2000)] = "",
) -> Response:
    """Where a mail's link leads when no application has a page for it. Opening it uses nothing up: mail scanners do."""
    return HTMLResponse(pages.form(kind, token or challenge, target))


@router.post("/link", include_in_schema=False)
async def follow_link(
    request: Request,
    token: Entered,
    purpose: Annotated[Purpose, Form(alias="type")],
    password: Entered = "",
    code: Entered = "",
    target: Annotated[str, Form(alias="next", max_length=2000)] = "",
) -> Response:
    """What its button does. A mistake shows the form again."""
    accounts, client = accounts_of(request), client_of(request)
    try:
        match purpose:
            case Purpose.RECOVERY:
                await following.reset_password(accounts, token, password, client)
                return HTMLResponse(pages.done("Your password is set."))
            case Purpose.MAGICLINK:
                return _come_in(request, await following.sign_in_by_link(accounts, token, client), target)
            case Purpose.SECOND_FACTOR:
                result = await second_step.sign_in(accounts, challenge=token, code=code, client=client)
                return _come_in(request, result, target)
            case _:
                await following.verify_email(accounts, token, client)
                return HTMLResponse(pages.done("Your address is confirmed."))
    except FluxbaseError as error:
        problem = problem_of(error)
        page = pages.form(purpose.value, token, target, problem.message)
        return HTMLResponse(page, status_code=problem.status, headers=dict(problem.headers))


def _come_in(request: Request, result: SignedIn | SecondStep, target: str) -> Response:
    if isinstance(result, SecondStep):
        return HTMLResponse(pages.form(Purpose.SECOND_FACTOR.value, result.challenge, target))
    own = target.startswith("/") and redirects.is_allowed(target, None, ())
    response = RedirectResponse(target, status_code=303) if own else HTMLResponse(pages.done("You are signed in."))
    set_session_cookie(response, request, result)
    return response

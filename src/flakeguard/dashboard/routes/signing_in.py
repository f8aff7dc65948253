"""The ways in: password, second factor, providers, and the links of mails."""

from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.dashboard.forms import FORM_ERRORS, notice_of, status_of
from fluxbase.auth import (
    OptionalUser,
    SecondStep,
    SignedIn,
    SignupState,
    accounts_of,
    client_of,
    set_session_cookie,
    signing_in,
)
from fluxbase.auth.mail import following
from fluxbase.auth.mail.requests import ask
from fluxbase.auth.providers import configured
from fluxbase.auth.second_factor import second_step
from fluxbase.auth.signing_up import signup_state
from fluxbase.errors import FluxbaseError, NotAuthenticatedError
from fluxbase.http.cookies import session_token
from fluxbase.settings import SignupPolicy
from fluxbase.web import redirect, render
from fluxbase.web.links import safe_next

router = APIRouter()

type Text = Annotated[str, Form(max_length=1000)]
type Target = Annotated[str, Form(alias="next")]

# Beside a form whoever is not let in reads why; elsewhere they would be sent to this very form.
_ERRORS = (*FORM_ERRORS, NotAuthenticatedError)
# What a provider's way back says went wrong.
_PROVIDER_ERRORS = {
    "provider_refused": "The provider did not sign you in.",
    "provider_email_unverified": "The provider does not vouch for your e-mail address: verify it there first.",
    "account_unconfirmed": "An account with that address exists. Sign in with its password, and connect the provider "
    "on your account's page.",
    "identity_revoked": "That identity was disconnected from its account. Sign in otherwise, and connect it again on "
    "your account's page.",
    "identity_taken": "That identity belongs to another account.",
    "signup_refused": "This installation does not take new accounts this way: ask for an invite.",
    "provider_unavailable": "The provider cannot be reached. Try again shortly.",
}


def provider_error(request: Request) -> str | None:
    """What went wrong at the provider, told by `?error=<code>`; unknown codes say nothing more than that."""
    code = request.query_params.get("error")
    return _PROVIDER_ERRORS.get(code, "Signing in with the provider did not work.") if code else None


async def _sign_in_page(
    request: Request, target: str, error: str | None, email: str = "", status: int = 200
) -> Response:
    settings = request.app.state.settings
    return render(
        request,
        "signin.html",
        status=status,
        target=target,
        email=email,
        error=error,
        notice=notice_of(request),
        signup=_may_sign_up(await signup_state(accounts_of(request))),
        providers=configured.every(settings),
        mail=settings.smtp_host is not None,
    )


@router.get("/signin")
async def sign_in_page(request: Request, user: OptionalUser) -> Response:
    """The form to sign in."""
    target = safe_next(request.query_params.get("next"))
    if user is not None:
        return redirect(request, target)
    return await _sign_in_page(request, target, provider_error(request))


@router.post("/signin")
async def sign_in(request: Request, email: Text, password: Text, target: Target = "/") -> Response:
    """Open a session, or ask for the second factor."""
    try:
        result = await signing_in.sign_in(
            accounts_of(request),
            email=email,
            password=password,
            client=client_of(request),
            previous_token=session_token(request),
        )
    except _ERRORS as error:
        return await _sign_in_page(request, safe_next(target), str(error), email, status_of(error))
    return _come_in(request, result, safe_next(target))


def _come_in(request: Request, result: SignedIn | SecondStep, target: str) -> Response:
    if isinstance(result, SecondStep):
        return _second_step_page(request, result.challenge, target, None)
    response = redirect(request, target)
    set_session_cookie(response, request, result)
    return response


def _second_step_page(request: Request, challenge: str, target: str, error: FluxbaseError | None) -> Response:
    return render(
        request,
        "signin_code.html",
        status=status_of(error) if error else 200,
        challenge=challenge,
        target=target,
        error=str(error) if error else None,
    )


@router.get("/signin/code")
async def second_step_page(request: Request, challenge: str = "") -> Response:
    """The form for the second factor; a provider's way back leads here."""
    return _second_step_page(request, challenge, safe_next(request.query_params.get("next")), None)


@router.post("/signin/code")
async def take_second_step(request: Request, challenge: Text, code: Text, target: Target = "/") -> Response:
    """Open the session."""
    try:
        signed_in = await second_step.sign_in(
            accounts_of(request),
            challenge=challenge,
            code=code,
            client=client_of(request),
            previous_token=session_token(request),
        )
    except _ERRORS as error:
        return _second_step_page(request, challenge, safe_next(target), error)
    return _come_in(request, signed_in, safe_next(target))


@router.get("/forgot")
async def forgot_page(request: Request) -> Response:
    """The form to ask for a mail: to set a new password, or to sign in by a link."""
    return render(request, "forgot.html", email="", error=None, sent=False)


@router.post("/forgot")
async def forgot(request: Request, email: Text, way: Annotated[str, Form()] = "recovery") -> Response:
    """Ask for the mail. The answer is the same whether or not there is such an account."""
    try:
        purpose = "magiclink" if way == "magiclink" else "recovery"
        await ask(accounts_of(request), purpose, email=email, client=client_of(request))
    except FORM_ERRORS as error:
        return render(request, "forgot.html", status=status_of(error), email=email, error=str(error), sent=False)
    return render(request, "forgot.html", email=email, error=None, sent=True)


@router.get("/link")
async def link_page(request: Request, token: str = "", type: str = "") -> Response:  # noqa: A002 -- the name in the link
    """What a mail's link opens. It uses nothing up, because mail scanners open links too: its button does."""
    return _link_page(request, type, token, safe_next(request.query_params.get("next")), None)


def _link_page(request: Request, kind: str, token: str, target: str, error: FluxbaseError | None) -> Response:
    context: dict[str, Any] = {"kind": kind, "token": token, "target": target, "error": str(error) if error else None}
    shortest = request.app.state.settings.password_min_length
    return render(request, "link.html", status=status_of(error) if error else 200, shortest=shortest, **context)


@router.post("/link")
async def follow_link(
    request: Request,
    token: Text,
    kind: Annotated[str, Form(alias="type")],
    password: Text = "",
    target: Target = "/",
) -> Response:
    """Confirm the address, set the password, or sign in."""
    accounts, client = accounts_of(request), client_of(request)
    try:
        if kind == "magiclink":
            result = await following.sign_in_by_link(accounts, token, client)
            return _come_in(request, result, safe_next(target))
        if kind == "recovery":
            await following.reset_password(accounts, token, password, client)
            return redirect(request, "/signin?notice=password-set")
        await following.verify_email(accounts, token, client)
    except _ERRORS as error:
        return _link_page(request, kind, token, safe_next(target), error)
    return redirect(request, "/signin?notice=email-confirmed")


def _may_sign_up(state: SignupState) -> bool:
    return state.first_account or state.policy is SignupPolicy.OPEN

"""The account page: password, second factor, identities, sessions, deletion."""

from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.dashboard.forms import FORM_ERRORS, notice_of, status_of
from flakeguard.dashboard.qr import qr_code
from flakeguard.dashboard.routes.signing_in import provider_error
from flakeguard.dashboard.shell import plain_shell, reading
from fluxbase.auth import (
    CurrentUser,
    User,
    accounts_of,
    clear_session_cookie,
    client_of,
    own_account,
    proving,
    sessions,
)
from fluxbase.auth.providers import configured, flow, linking
from fluxbase.auth.providers.routes import remember
from fluxbase.auth.second_factor import enrolment
from fluxbase.auth.second_factor.enrolment import Enrolment
from fluxbase.errors import NotFoundError
from fluxbase.web import Context, redirect, render

router = APIRouter(prefix="/account")

type Text = Annotated[str, Form(max_length=1000)]


async def _page(
    request: Request, user: User, status: int = 200, *, shown: Context | None = None, **errors: str
) -> Response:
    """The page; `shown` is what is shown this once (an enrolment, recovery codes)."""
    accounts = accounts_of(request)
    async with reading(request, user) as connection:
        shell = await plain_shell(request, connection, user, "account")
    context: Context = {
        "shell": shell,
        "sessions": await sessions.sessions_of(accounts, user),
        "second_factor": await enrolment.status(accounts, user),
        "asked": await proving.asked(accounts, user),
        "recently_signed_in": proving.is_recent(accounts, user),
        "identities": await linking.identities_of(accounts, user),
        "providers": configured.every(accounts.settings),
        "enrolment": None,
        "recovery_codes": (),
    }
    return render(
        request,
        "account.html",
        status=status,
        notice=notice_of(request),
        errors=errors,
        shortest=accounts.settings.password_min_length,
        **(context | (shown or {})),
    )


@router.get("")
async def account_page(request: Request, user: CurrentUser) -> Response:
    """The signed-in user's account."""
    error = provider_error(request)
    return await _page(request, user, identities=error) if error else await _page(request, user)


@router.post("/password")
async def change_password(request: Request, user: CurrentUser, new: Text, proof: Text = "") -> Response:
    """Set a new password."""
    try:
        await own_account.change_password(
            accounts_of(request), user, current=proof, code=proof, new=new, client=client_of(request)
        )
    except FORM_ERRORS as error:
        return await _page(request, user, status_of(error), password=str(error))
    return redirect(request, "/account?notice=password-changed")


@router.post("/2fa/setup")
async def begin_second_factor(request: Request, user: CurrentUser, proof: Text = "") -> Response:
    """Show what an authenticator needs, and ask for its first code."""
    try:
        begun = await enrolment.begin(accounts_of(request), user, password=proof, issuer="FlakeGuard")
    except FORM_ERRORS as error:
        return await _page(request, user, status_of(error), second_factor=str(error))
    return await _page(request, user, shown=_to_scan(begun))


def _to_scan(begun: Enrolment | None) -> Context:
    label = "QR code of the secret below, for the camera of your authenticator"
    return {"enrolment": begun, "qr": qr_code(begun.address, label=label) if begun else ""}


@router.post("/2fa/enable")
async def enable_second_factor(request: Request, user: CurrentUser, code: Text) -> Response:
    """Ask for the second factor from now on; the recovery codes are shown this once."""
    try:
        codes = await enrolment.enable(accounts_of(request), user, code, client_of(request))
    except FORM_ERRORS as error:
        shown = _to_scan(await enrolment.pending(accounts_of(request), user, issuer="FlakeGuard"))
        return await _page(request, user, status_of(error), shown=shown, second_factor=str(error))
    return await _page(request, user, shown={"recovery_codes": codes})


@router.post("/2fa/codes")
async def renew_recovery_codes(request: Request, user: CurrentUser, proof: Text) -> Response:
    """New recovery codes, shown this once."""
    try:
        codes = await enrolment.renew_recovery_codes(
            accounts_of(request), user, password=proof, code=proof, client=client_of(request)
        )
    except FORM_ERRORS as error:
        return await _page(request, user, status_of(error), second_factor=str(error))
    return await _page(request, user, shown={"recovery_codes": codes})


@router.post("/2fa/disable")
async def disable_second_factor(request: Request, user: CurrentUser, proof: Text) -> Response:
    """Ask for no second factor any more."""
    try:
        await enrolment.disable(accounts_of(request), user, password=proof, code=proof, client=client_of(request))
    except FORM_ERRORS as error:
        return await _page(request, user, status_of(error), second_factor=str(error))
    return redirect(request, "/account?notice=2fa-disabled")


@router.post("/identities/connect")
async def connect_identity(request: Request, user: CurrentUser, provider: Text) -> Response:
    """A page with the way to the provider: the content security policy lets no form lead off this site."""
    try:
        proving.require_recent(accounts_of(request), user)
    except FORM_ERRORS as error:
        return await _page(request, user, status_of(error), identities=str(error))
    leaving = await flow.leave(
        accounts_of(request),
        provider,
        client=client_of(request),
        redirect_to="/account?notice=identity-connected",
        link_to=user,
    )
    title = configured.find(request.app.state.settings, provider).title
    return remember(request, render(request, "connect.html", title=title, url=leaving.url), leaving)


@router.post("/identities/end")
async def disconnect_identity(request: Request, user: CurrentUser, identity: Annotated[UUID, Form()]) -> Response:
    """Disconnect an identity."""
    try:
        await linking.disconnect(accounts_of(request), user, identity, client_of(request))
    except FORM_ERRORS as error:
        return await _page(request, user, status_of(error), identities=str(error))
    return redirect(request, "/account?notice=identity-disconnected")


@router.post("/sessions/end")
async def end_session(request: Request, user: CurrentUser, session: Annotated[UUID | None, Form()] = None) -> Response:
    """End one session, or all others when none is named."""
    accounts, client = accounts_of(request), client_of(request)
    if session is None:
        await sessions.sign_out_elsewhere(accounts, user, client)
    else:
        with suppress(NotFoundError):  # somebody else, or another tab, was faster
            await sessions.end(accounts, user, session, client)
    return redirect(request, "/account?notice=sessions-ended")


@router.post("/delete")
async def delete_account(
    request: Request, user: CurrentUser, proof: Text = "", delete_organizations: Annotated[str, Form()] = ""
) -> Response:
    """Delete the account."""
    try:
        await own_account.delete_account(
            accounts_of(request),
            user,
            password=proof,
            code=proof,
            delete_organizations=bool(delete_organizations),
            client=client_of(request),
        )
    except FORM_ERRORS as error:
        return await _page(request, user, status_of(error), delete=str(error))
    response = redirect(request, "/signin?notice=account-deleted")
    clear_session_cookie(response, request)
    return response

"""`/api/v1/auth/2fa`: the second factor, turned on and off, and the second step of signing in."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from fluxbase.auth.dependencies import CurrentUser, accounts_of, client_of
from fluxbase.auth.responses import Text, answer
from fluxbase.auth.second_factor import enrolment, second_step
from fluxbase.http import cookies

router = APIRouter(prefix="/2fa")


class SetupBody(BaseModel):
    """The password, of accounts that have one."""

    password: Text | None = None


class EnableBody(BaseModel):
    """A code that the authenticator shows."""

    code: Text


class ProofBody(BaseModel):
    """The password; of accounts that have none, a code."""

    password: Text | None = None
    code: Text | None = None


class VerifyBody(BaseModel):
    """The challenge of the first step, and a code of the authenticator or a recovery code."""

    challenge: Text
    code: Text


@router.get("/status", summary="Is there a second factor?")
async def status(request: Request, user: CurrentUser) -> dict[str, Any]:
    """`{enabled, recovery_codes_left}`."""
    found = await enrolment.status(accounts_of(request), user)
    return {"enabled": found.enabled, "recovery_codes_left": found.recovery_codes_left}


@router.post("/setup", summary="Begin to enrol an authenticator")
async def setup(request: Request, user: CurrentUser, body: SetupBody) -> dict[str, Any]:
    """`{secret, otpauth_url}`, shown this once; nothing is asked for until `enable`."""
    issuer: str = request.app.title
    begun = await enrolment.begin(accounts_of(request), user, password=body.password, issuer=issuer)
    return {"secret": begun.secret, "otpauth_url": begun.address}


@router.post("/enable", summary="Ask for the second factor from now on")
async def enable(request: Request, user: CurrentUser, body: EnableBody) -> dict[str, Any]:
    """`{enabled, recovery_codes}`, shown this once. Every other session ends."""
    codes = await enrolment.enable(accounts_of(request), user, body.code, client_of(request))
    return {"enabled": True, "recovery_codes": codes}


@router.post("/verify", summary="Sign in, second step")
async def verify(request: Request, body: VerifyBody) -> Response:
    """As signing in."""
    result = await second_step.sign_in(
        accounts_of(request),
        challenge=body.challenge,
        code=body.code,
        client=client_of(request),
        previous_token=cookies.session_token(request),
    )
    return answer(request, result)


@router.post("/disable", summary="Ask for no second factor any more")
async def disable(request: Request, user: CurrentUser, body: ProofBody) -> dict[str, Any]:
    """`{enabled: false}`."""
    await enrolment.disable(
        accounts_of(request), user, password=body.password, code=body.code, client=client_of(request)
    )
    return {"enabled": False}


@router.post("/recovery-codes", summary="New recovery codes")
async def renew(request: Request, user: CurrentUser, body: ProofBody) -> dict[str, Any]:
    """`{recovery_codes}`, shown this once; those before are worthless."""
    codes = await enrolment.renew_recovery_codes(
        accounts_of(request), user, password=body.password, code=body.code, client=client_of(request)
    )
    return {"recovery_codes": codes}

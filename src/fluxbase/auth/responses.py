"""What a way in answers: the session, or what is still asked for."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fluxbase.auth.dependencies import set_session_cookie
from fluxbase.auth.model import ConfirmationNeeded, SecondStep, SignedIn
from fluxbase.http.csrf import token_for

LONGEST_FIELD = 1024
type Text = Annotated[str, Field(max_length=LONGEST_FIELD)]
type Redirect = Annotated[str, StringConstraints(max_length=2000)]


def answer(request: Request, result: SignedIn | SecondStep | ConfirmationNeeded, *, status: int = 200) -> Response:
    """The result as JSON; a session that was opened is set as a cookie for browsers too."""
    match result:
        case SecondStep():
            return JSONResponse(second_step_json(result))
        case ConfirmationNeeded():
            return JSONResponse({"user": None, "requires_email_confirmation": True}, status_code=status)
        case SignedIn():
            return _session(request, result, status)


def second_step_json(step: SecondStep) -> dict[str, Any]:
    """The public shape of what comes between."""
    return {"requires_2fa": True, "challenge": step.challenge, "expires_in": step.expires_in_seconds}


def _session(request: Request, signed_in: SignedIn, status: int) -> Response:
    body = {
        "user": signed_in.user.as_json(),
        "access_token": signed_in.access_token,
        "token_type": "bearer",
        "expires_in": signed_in.access_expires_in_seconds,
        "refresh_token": signed_in.refresh_token,
    }
    if signed_in.token is None:
        return JSONResponse(body, status_code=status)
    secret: str = request.app.state.resources.addresses.secret
    response = JSONResponse(body | {"csrf_token": token_for(secret, signed_in.token)}, status_code=status)
    set_session_cookie(response, request, signed_in)
    return response

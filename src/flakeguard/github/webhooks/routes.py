"""`POST /github/webhook`: whoever knows the secret is GitHub; everybody else is sent away before anything is done."""

import tempfile
from typing import IO

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from flakeguard.github.webhooks.receiving import take
from flakeguard.github.webhooks.signature import Signature
from flakeguard.github.webhooks.working import App
from flakeguard.settings import MEBIBYTE, FlakeGuardSettings
from fluxbase.errors import InvalidRequestError, NotAuthenticatedError, UnavailableError, UnsupportedMediaTypeError

router = APIRouter(tags=["github"])

PATH = "/github/webhook"
LARGEST_BODY_BYTES = 25 * MEBIBYTE  # GitHub sends none that is larger
_IN_MEMORY_BYTES = 256 * 1024
_LONGEST_HEADER = 200


class WrongSignatureError(NotAuthenticatedError):
    """The request is not signed with this server's webhook secret."""

    code = "wrong_signature"


@router.post(PATH, status_code=202, summary="Deliveries of GitHub")
async def webhook(request: Request) -> Response:
    """202 once the delivery is kept with what it owes; `{"delivery", "state"}`."""
    settings: FlakeGuardSettings = request.app.state.settings
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as spool:
        await _receive_signed(request, settings, spool)
        guid, event = (_header(request, name) for name in ("x-github-delivery", "x-github-event"))
        if not request.headers.get("content-type", "").lower().startswith("application/json"):
            raise UnsupportedMediaTypeError("Set the webhook's content type to application/json.")
        spool.seek(0)
        body = spool.read()
    resources = request.app.state.resources
    outcome = await take(resources.database, App.of(settings), guid=guid, event=event, body=body, now=resources.now())
    return JSONResponse({"delivery": guid, "state": outcome.state}, status_code=202)


async def _receive_signed(request: Request, settings: FlakeGuardSettings, spool: IO[bytes]) -> None:
    """Spool the body; nothing of it is looked at before the signature is known to be right."""
    secret = settings.github_webhook_secret
    if secret is None or not secret.get_secret_value():
        raise UnavailableError("This server takes no webhooks: GITHUB_WEBHOOK_SECRET is not set.")
    signature = Signature.claimed_by(request.headers.get("x-hub-signature-256"), secret.get_secret_value())
    if signature is None:
        raise WrongSignatureError
    async for chunk in request.stream():
        signature.feed(chunk)
        spool.write(chunk)
    if not signature.right:
        raise WrongSignatureError


def _header(request: Request, name: str) -> str:
    value = request.headers.get(name, "")
    if not 1 <= len(value) <= _LONGEST_HEADER or not value.isprintable():
        raise InvalidRequestError(f"The header {name} is missing or cannot be one of GitHub's.")
    return value

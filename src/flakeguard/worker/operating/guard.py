"""Who may use the queue API: who has `API_KEY`; without one set, this machine alone."""

import hmac
import ipaddress

from starlette.requests import Request

from fluxbase.errors import NotAuthenticatedError, PermissionDeniedError
from fluxbase.http.context import peer_address

_FORWARDING = ("x-forwarded-for", "forwarded", "x-real-ip")
_OWN_NAMES = frozenset(("localhost", "127.0.0.1", "[::1]"))


class ApiKeyError(NotAuthenticatedError):
    """The queue API needs the worker's API_KEY, as `Authorization: Bearer …` or `X-API-Key`."""

    code = "invalid_api_key"


class OnlyLocalError(PermissionDeniedError):
    """No API_KEY is set: only this machine may use the queue API. Set API_KEY to use it from elsewhere."""

    code = "api_key_not_set"


async def require_operator(request: Request) -> None:
    """Let in who has the key; jobs hold names of repositories and tests, so reading is guarded like changing.

    Raises:
        ApiKeyError: 401.
        OnlyLocalError: 403.
    """
    key = request.app.state.settings.api_key
    if key is None:
        if not _is_local(request):
            raise OnlyLocalError
    elif not hmac.compare_digest(_offered(request).encode(), key.get_secret_value().encode()):
        raise ApiKeyError


def _offered(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return bearer or request.headers.get("x-api-key", "")


def _is_local(request: Request) -> bool:
    # A proxy lends everybody its address, and a page that a browser here has open can have a name that leads here.
    if any(name in request.headers for name in _FORWARDING) or "origin" in request.headers:
        return False
    host = request.headers.get("host", "").lower()
    if host.rpartition(":")[0] not in _OWN_NAMES and host not in _OWN_NAMES:
        return False
    try:
        return ipaddress.ip_address(peer_address(request.scope) or "").is_loopback
    except ValueError:
        return False

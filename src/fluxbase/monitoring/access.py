"""Who may look inside: this machine and the networks of the settings without a credential, everybody else with one.

No address is trusted for being a private one: behind NAT, or a container's port forwarding, everybody has one.
"""

import ipaddress

from starlette.requests import Request

from fluxbase.auth.callers import caller_of
from fluxbase.http.context import Network, client_address, peer_address
from fluxbase.settings import Settings

_SCOPE = "monitoring:read"
_LOOPBACK = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "::1/128")))
_FORWARDING = ("x-forwarded-for", "forwarded", "x-real-ip")


async def require_monitor(request: Request) -> None:
    """Let in this machine and `monitoring.allow`, and the operator or a key with `monitoring:read` from anywhere.

    Raises:
        NotAuthenticatedError: 401.
        PermissionDeniedError: 403.
    """
    settings: Settings = request.app.state.settings
    if _comes_from(request, (*_LOOPBACK, *settings.monitoring_allow)):
        return
    caller = await caller_of(request)
    if caller.key_id is None:
        caller.require_admin()
    caller.require(_SCOPE)


async def require_profiler(request: Request) -> None:
    """Let in who asks from this very machine, and the operator from anywhere.

    Raises:
        NotAuthenticatedError: 401.
        PermissionDeniedError: 403.
    """
    if not _comes_from(request, _LOOPBACK):
        (await caller_of(request)).require_admin()


def _comes_from(request: Request, networks: tuple[Network, ...]) -> bool:
    address, peer = client_address(request), peer_address(request.scope)
    # A proxy that is not trusted lends everybody its own address.
    if address == peer and any(name in request.headers for name in _FORWARDING):
        return False
    if address is None:
        return True  # a unix socket: only this machine can be at its other end
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)

"""Who may look inside: the operator's own network without a credential, everybody else with one."""

import ipaddress

from starlette.requests import Request

from fluxbase.auth.callers import caller_of
from fluxbase.http.context import client_address, peer_address

_SCOPE = "monitoring:read"
_LOOPBACK = tuple(map(ipaddress.ip_network, ("127.0.0.0/8", "::1/128")))
_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10")))
_FORWARDING = ("x-forwarded-for", "forwarded", "x-real-ip")


async def require_monitor(request: Request) -> None:
    """Let in private addresses, and the operator or a key with `monitoring:read` from anywhere.

    Raises:
        NotAuthenticatedError: 401.
        PermissionDeniedError: 403.
    """
    if _comes_from(request, (*_LOOPBACK, *_PRIVATE)):
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


def _comes_from(request: Request, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]) -> bool:
    address, peer = client_address(request), peer_address(request.scope)
    # A proxy that is not trusted lends everybody its own, private, address.
    if address == peer and any(name in request.headers for name in _FORWARDING):
        return False
    if address is None:
        return True  # a unix socket: only this machine can be at its other end
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)

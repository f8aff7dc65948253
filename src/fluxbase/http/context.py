"""What is known of a request before any route sees it: its id, and the address it came from."""

import ipaddress
import re
import secrets
from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import Message, Scope

from fluxbase.errors import ConfigurationError

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What other systems send as ids, and nothing that could break a log line or a header.
_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
_STATE = "fluxbase"


class RequestContext:
    """Gives each request an id (the caller's, when it is sane) and finds the client behind trusted proxies."""

    def __init__(self, *, trusted_proxies: Sequence[str] = ()) -> None:
        self._trusted = parse_networks(trusted_proxies)

    def enter(self, scope: Scope) -> str:
        """Note what is known of a request or WebSocket before anything else is done for it; returns its id."""
        headers = Headers(scope=scope)
        offered = headers.get("x-request-id", "")
        identifier = offered if _SANE_ID.fullmatch(offered) else secrets.token_hex(16)
        scope[_STATE] = {
            "request_id": identifier,
            "client": resolve_client(scope, headers, self._trusted),
            "secure": self._is_secure(scope, headers),
            "headers": dict[str, str](),
        }
        return identifier

    def _is_secure(self, scope: Scope, headers: Headers) -> bool:
        if scope.get("scheme") in ("https", "wss"):
            return True
        forwarded = headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
        return forwarded == "https" and _is_trusted(peer_address(scope), self._trusted)


def parse_networks(entries: Sequence[str]) -> tuple[Network, ...]:
    """Addresses and networks (`10.0.0.0/8`) as networks.

    Raises:
        ConfigurationError: An entry is neither.
    """
    try:
        return tuple(ipaddress.ip_network(entry, strict=False) for entry in entries)
    except ValueError as error:
        raise ConfigurationError(f"trusted proxies are IP addresses or networks like 10.0.0.0/8: {error}") from error


def peer_address(scope: Scope) -> str | None:
    """The address at the other end of the socket, if it has one."""
    client = scope.get("client")
    return client[0] if client else None


def resolve_client(scope: Scope, headers: Headers, trusted: Sequence[Network]) -> str | None:
    """The nearest address that is not one of our own proxies.

    X-Forwarded-For is read from the right, only as far as trusted proxies wrote it: what stands further left is
    whatever the client cared to send.
    """
    address = peer_address(scope)
    hops = [hop.strip() for line in headers.getlist("x-forwarded-for") for hop in line.split(",")]
    while hops and _is_trusted(address, trusted):
        candidate = _without_port(hops.pop())
        if candidate is None:
            break
        address = candidate
    return address


def _is_trusted(address: str | None, trusted: Sequence[Network]) -> bool:
    if not trusted:
        return False
    if address is None:  # a unix socket: only something on this machine can be at its other end
        return True
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in trusted)


def _without_port(hop: str) -> str | None:
    bare = hop.strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return None


def answer_with(scope: Scope, headers: Mapping[str, str]) -> None:
    """Put headers on whatever answers this request, errors too."""
    scope[_STATE]["headers"].update(headers)


def add_context_headers(scope: Scope, message: Message) -> None:
    """Put the request's id, and what `answer_with` was told, on the message that begins an answer."""
    state = scope[_STATE]
    message["headers"] = [*message.get("headers", ()), (b"x-request-id", state["request_id"].encode("ascii"))]
    if state["headers"]:
        MutableHeaders(scope=message).update(state["headers"])


def request_id(request: HTTPConnection) -> str:
    """The id of this request, as it is echoed in X-Request-ID."""
    return request.scope.get(_STATE, {}).get("request_id", "")


def client_address(request: HTTPConnection) -> str | None:
    """The client's IP address, right behind trusted proxies; None on a unix socket."""
    return request.scope.get(_STATE, {}).get("client")


def is_https(request: HTTPConnection) -> bool:
    """Whether the client speaks TLS to us or to a trusted proxy, as far as this request shows."""
    return bool(request.scope.get(_STATE, {}).get("secure", False))

"""What is known of a request before any route sees it: its id, and the address it came from."""

import ipaddress
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope

from fluxbase.errors import ConfigurationError
from fluxbase.http.head import head_of

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network
type RawHeaders = list[tuple[bytes, bytes]]

# What other systems send as ids, and nothing that could break a log line or a header.
_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}")
_STATE = "fluxbase"


@dataclass(slots=True)
class _Known:
    request_id: str = ""
    client: str | None = None
    secure: bool = False
    answer: RawHeaders = field(default_factory=list[tuple[bytes, bytes]])


_NOTHING = _Known()


class RequestContext:
    """Gives each request an id (the caller's, when it is sane) and finds the client behind trusted proxies."""

    def __init__(self, *, trusted_proxies: Sequence[str] = ()) -> None:
        self._trusted = parse_networks(trusted_proxies)

    def enter(self, scope: Scope) -> str:
        """Note what is known of a request or WebSocket before anything else is done for it; returns its id."""
        offered = head_of(scope).get("x-request-id")
        identifier = offered if offered and _SANE_ID.fullmatch(offered) else _new_id()
        client, secure = peer_address(scope), scope.get("scheme") in ("https", "wss")
        if self._trusted:
            headers = Headers(scope=scope)
            client, proxies = resolve_client(scope, headers, self._trusted)
            secure = secure or _spoken(headers, proxies) == "https"
        scope[_STATE] = _Known(identifier, client, secure)
        return identifier


def _new_id() -> str:
    # A name to find log lines by, no secret: it need not cost a system call.
    return f"{random.getrandbits(128):032x}"


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


def resolve_client(scope: Scope, headers: Headers, trusted: Sequence[Network]) -> tuple[str | None, int]:
    """The nearest address that is not one of our own proxies, and how many of those the request came through.

    X-Forwarded-For is read from the right, only as far as trusted proxies wrote it: what stands further left is
    whatever the client cared to send.
    """
    address, proxies = peer_address(scope), 0
    hops = _listed(headers, "x-forwarded-for")
    while _is_trusted(address, trusted):
        proxies += 1
        candidate = _without_port(hops.pop()) if hops else None
        if candidate is None:
            break
        address = candidate
    return address, proxies


def _spoken(headers: Headers, proxies: int) -> str | None:
    """What the client spoke to the outermost of our proxies.

    Each of them adds to X-Forwarded-Proto, or writes it anew, or leaves it alone; further left than there are proxies
    of ours stands whatever the client cared to send.
    """
    protocols = _listed(headers, "x-forwarded-proto")
    return protocols[-min(proxies, len(protocols))].lower() if protocols and proxies else None


def _listed(headers: Headers, name: str) -> list[str]:
    return [part.strip() for line in headers.getlist(name) for part in line.split(",")]


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


def answer_with(scope: Scope, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Put headers on whatever answers this request, errors too. Their names are in small letters."""
    scope[_STATE].answer.extend(headers)


def context_headers(scope: Scope) -> RawHeaders:
    """What every answer to this request says: its id, and what `answer_with` was told."""
    known = _known(scope)
    return [(b"x-request-id", known.request_id.encode("ascii")), *known.answer]


def request_id(request: HTTPConnection) -> str:
    """The id of this request, as it is echoed in X-Request-ID."""
    return _known(request.scope).request_id


def client_address(request: HTTPConnection) -> str | None:
    """The client's IP address, right behind trusted proxies; None on a unix socket."""
    return _known(request.scope).client


def is_https(request: HTTPConnection) -> bool:
    """Whether the client speaks TLS to us or to a trusted proxy, as far as this request shows."""
    return _known(request.scope).secure


def _known(scope: Scope) -> _Known:
    known: _Known | None = scope.get(_STATE)
    return _NOTHING if known is None else known

"""Where a redirect of GitHub may lead: no further into this network than GitHub itself is.

Artifacts are kept elsewhere, and the answer says where. Whoever could write that answer could have this server ask
what only it can reach (SSRF). So the name is looked up, every address behind it is judged, and the connection goes to
an address that was judged, whatever the name means a moment later. A name has several of them, and one that does not
answer (IPv6 where there is no way out for it, as often) must not keep a download from the others.
"""

import asyncio
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain, zip_longest
from urllib.request import getproxies, proxy_bypass

import httpx

from flakeguard.github.errors import GitHubAwayError, GitHubRefusedError

type Address = IPv4Address | IPv6Address

_MOST_TRIED = 4
"""Two of each kind: what answers at none of them is away."""


class Place(IntEnum):
    """How far inside an address is. What has a higher number is reached only where GitHub has it too."""

    PUBLIC = 0
    PRIVATE = 1
    THIS_MACHINE = 2
    NOWHERE = 3
    """Link-local, where clouds keep their credentials, and what is no machine's."""


@dataclass(frozen=True, slots=True)
class Destination:
    """What to ask httpx for: an address that was judged, under the name that it has."""

    url: httpx.URL
    headers: dict[str, str]
    extensions: dict[str, str]


def place_of(address: Address) -> Place:
    """How far inside `address` is. Pure."""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    if address.is_loopback:
        return Place.THIS_MACHINE
    if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return Place.NOWHERE
    return Place.PUBLIC if address.is_global else Place.PRIVATE


async def destinations(address: str, api_url: str) -> Sequence[Destination]:
    """Where `address`, which the API at `api_url` named, leads: to be tried in this order, at least one.

    Behind a proxy that is the proxy's to judge.

    Raises:
        GitHubRefusedError: It is no https address (http where the API's own is), or lies further inside than the API.
        GitHubAwayError: The name cannot be looked up now.
        httpx.InvalidURL: It is no address at all.
    """
    url, api = httpx.URL(address), httpx.URL(api_url)
    if not url.host or url.scheme not in ("https", api.scheme):
        raise GitHubRefusedError("GitHub's redirect leads to no https address; check GITHUB_API_URL")
    if url.scheme in getproxies() and not proxy_bypass(url.host):
        return [Destination(url, {}, {})]
    found = await _addresses(url)
    if (furthest := max(map(place_of, found))) is not Place.PUBLIC and furthest > await _furthest(api):
        raise GitHubRefusedError(f"GitHub's redirect leads to {furthest.name.lower().replace('_', ' ')}: not followed")
    headers, extensions = {"Host": url.netloc.decode()}, {"sni_hostname": url.host}
    return [Destination(url.copy_with(host=str(one)), headers, extensions) for one in in_turn(found)[:_MOST_TRIED]]


def in_turn(found: Iterable[Address]) -> list[Address]:
    """Each address once, in the resolver's order but for the kinds, which take turns (RFC 8305, section 4). Pure."""
    addresses = list(dict.fromkeys(found))
    first = [one for one in addresses if one.version == addresses[0].version]
    other = [one for one in addresses if one.version != addresses[0].version]
    return [one for one in chain.from_iterable(zip_longest(first, other)) if one is not None]


async def _furthest(api: httpx.URL) -> Place:
    """NOWHERE is never allowed, whatever the API's own address is."""
    return min(max(map(place_of, await _addresses(api))), Place.THIS_MACHINE)


async def _addresses(url: httpx.URL) -> list[Address]:
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise GitHubAwayError("the host of GitHub's artifacts cannot be looked up") from None
    return _judged(entry[4][0] for entry in found)


def _judged(texts: Iterable[str | int]) -> list[Address]:
    return [ip_address(str(text).partition("%")[0]) for text in texts]

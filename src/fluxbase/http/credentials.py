"""Which credential a request carries, told without telling the credential."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from starlette.types import Scope

from fluxbase.http.head import head_of

CARRIERS = ("x-service-key", "authorization", "apikey", "x-client-key")
_SERVICE_KEY = "X-Service-Key"
_READ = "fluxbase_credentials"
_SHOWN = {"x-service-key": _SERVICE_KEY, "authorization": "Authorization", "x-client-key": "X-Client-Key"}
# Our keys are `<kind>_<prefix>_<secret>`: kind and prefix identify, the secret is never shown.
_KEY_PREFIX = re.compile(r"((?:fg|fb)_[A-Za-z0-9]{4,16})_[A-Za-z0-9_-]{16,}")


def credential_label(headers: Mapping[str, str], query: Mapping[str, str] | None = None) -> str | None:
    """What carries the credential, and the key's prefix; None without a credential. `query` is a WebSocket's.

    A service key is `X-Service-Key fb_1a2b3c4d` whatever carries it, so that one search finds every use of one:
    `X-Service-Key fb_1a2b3c4d (Authorization)`.
    """
    for name in CARRIERS:
        value = headers.get(name)
        if value is not None:
            return _label(_SHOWN.get(name, name), value)
    token = (query or {}).get("token")
    return None if token is None else _label("token", token)


def _label(carrier: str, value: str) -> str:
    prefix = key_prefix(value)
    if prefix is None:
        return carrier
    if carrier != _SERVICE_KEY and is_service_key(prefix):
        return f"{_SERVICE_KEY} {prefix} ({carrier})"
    return f"{carrier} {prefix}"


def key_prefix(value: str) -> str | None:
    """Kind and prefix of the key in a header's value, `fg_1a2b3c4d`; None when it is no key of ours."""
    found = _KEY_PREFIX.fullmatch(value.rpartition(" ")[2])
    return found.group(1) if found else None


class Credentials(NamedTuple):
    """What a request carries, none of it verified.

    Attributes:
        service_key: `X-Service-Key` and `Authorization: ServiceKey` hold one whatever it looks like; a bearer token or
            a client's key is one when it looks like one.
        bearer: The token of `Authorization: Bearer …`; empty when nothing stands behind that word.
        client_key: What `apikey` or `X-Client-Key` holds: a token for a role such as anon, or a service key.
    """

    service_key: str | None
    bearer: str | None
    client_key: str | None


def credentials_of(scope: Scope) -> Credentials:
    """The credentials of a request or WebSocket, read once."""
    known: Credentials | None = scope.get(_READ)
    if known is None:
        known = scope[_READ] = _read(head_of(scope))
    return known


def _read(head: Mapping[str, str]) -> Credentials:
    scheme, value = _parts(head.get("authorization", ""))
    bearer = value if scheme == "bearer" else None
    client_key = head.get("apikey") or head.get("x-client-key") or None
    service_key = head.get("x-service-key")
    if service_key is None:
        other = value if scheme == "servicekey" else bearer or client_key
        if other is not None and (scheme == "servicekey" or is_service_key(other)):
            service_key = other
    return Credentials(service_key, bearer, client_key)


def _parts(authorization: str) -> tuple[str, str]:
    words = authorization.split(maxsplit=1)
    return (words[0].lower() if words else ""), (words[1].strip() if len(words) > 1 else "")


def is_service_key(value: str) -> bool:
    """Whether a credential is meant as one of Fluxbase's service keys."""
    return value.startswith("fb_")

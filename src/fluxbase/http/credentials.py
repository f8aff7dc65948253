"""Which credential a request carries, told without telling the credential."""

import re
from collections.abc import Mapping

CARRIERS = ("x-service-key", "authorization", "apikey", "x-client-key")
_SERVICE_KEY = "X-Service-Key"
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


def bearer_token(headers: Mapping[str, str]) -> str | None:
    """The token of `Authorization: Bearer …`; None when there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None


def client_key(headers: Mapping[str, str]) -> str | None:
    """What `apikey` or `X-Client-Key` holds: a token for a role such as anon, or a service key."""
    return headers.get("apikey") or headers.get("x-client-key") or None


def service_key(headers: Mapping[str, str]) -> str | None:
    """The service key of a request, unverified; None when it carries none.

    `X-Service-Key` and `Authorization: ServiceKey` hold one whatever it looks like. A bearer token or a client's key is
    one when it looks like one.
    """
    named = headers.get("x-service-key")
    if named is not None:
        return named
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "servicekey":
        return value.strip()
    other = bearer_token(headers) or client_key(headers)
    return other if other is not None and is_service_key(other) else None


def is_service_key(value: str) -> bool:
    """Whether a credential is meant as one of Fluxbase's service keys."""
    return value.startswith("fb_")

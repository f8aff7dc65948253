"""Whom to count a request for, before it is known what it may: cheap, and never by a credential that is not proved.

Who sends made-up credentials is counted by address: each of them would else have a bucket of its own.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from starlette.requests import HTTPConnection

from fluxbase.auth import access_tokens
from fluxbase.auth.access_tokens import InvalidTokenError
from fluxbase.http.context import client_address
from fluxbase.http.credentials import credentials_of
from fluxbase.ratelimit.addresses import address_subject

_MOST_KEYS = 10_000
_VERIFIED = "verified_token"


def client_subject(connection: HTTPConnection) -> str:
    """The service key, user or token that the request proves, else its address (an IPv6 network of 64 bits)."""
    carried = credentials_of(connection.scope)
    key = carried.service_key
    if key is not None:
        known = proved_keys(connection).get(_digest(key))
        return f"key:{known}" if known else _address(connection)
    token = carried.bearer
    if token is not None:
        try:
            claims = verified_claims(connection, token)
        except InvalidTokenError:
            return _address(connection)
        return _token_subject(connection, claims)
    return _address(connection)


def _token_subject(connection: HTTPConnection, claims: Mapping[str, Any]) -> str:
    if "sub" in claims:
        return f"user:{claims['sub']}"
    # A page hands the same anonymous token to all its visitors: one of them must not use up the others' share.
    return _address(connection) if claims["role"] == "anon" else f"token:{claims.get('jti', claims['role'])}"


def verified_claims(connection: HTTPConnection, token: str) -> Mapping[str, Any]:
    """The claims of an access token; verified once a request, whoever asks.

    Raises:
        InvalidTokenError: 401.
    """
    known: tuple[str, Mapping[str, Any]] | None = connection.scope.get(_VERIFIED)
    if known is not None and known[0] == token:
        return known[1]
    claims = access_tokens.verify(connection.app.state.resources.addresses.secret, token)
    connection.scope[_VERIFIED] = (token, claims)
    return claims


class ProvedKeys:
    """Digests of keys that were right when they were last used, so that each has a bucket of its own.

    It says whom to count, never what anybody may: a revoked key in it is counted, and then refused.
    """

    def __init__(self) -> None:
        self._prefixes: OrderedDict[bytes, str] = OrderedDict()

    def get(self, digest: bytes) -> str | None:
        """The prefix of a key that was proved."""
        return self._prefixes.get(digest)

    def add(self, token: str, prefix: str) -> None:
        """Remember a key that was just proved; the oldest is forgotten when there are many."""
        self._prefixes[_digest(token)] = prefix
        if len(self._prefixes) > _MOST_KEYS:
            self._prefixes.popitem(last=False)


def proved_keys(connection: HTTPConnection) -> ProvedKeys:
    """The application's, made when first asked for."""
    state = connection.app.state
    proved: ProvedKeys | None = getattr(state, "proved_keys", None)
    if proved is None:
        proved = state.proved_keys = ProvedKeys()
    return proved


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _address(connection: HTTPConnection) -> str:
    return f"address:{address_subject(client_address(connection))}"

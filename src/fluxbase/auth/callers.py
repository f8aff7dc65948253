"""Who is asking: told from a request's credentials, as a database role with claims.

The carriers, in this order: a service key (`X-Service-Key`, `Authorization: ServiceKey …`), `Authorization: Bearer
<jwt>` (or `?token=` of a WebSocket), `apikey` or `X-Client-Key`, the browser's cookie. Without any: anonymous; other
schemes of `Authorization` (a proxy's Basic) are not ours and say nothing. Where a JWT may stand a service key may stand
too. A person who signed in is never the operator, whatever their metadata say.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from starlette.requests import HTTPConnection

from fluxbase.auth import access_tokens, sessions
from fluxbase.auth.access_tokens import InvalidTokenError, TokenClaims
from fluxbase.auth.dependencies import accounts_of
from fluxbase.auth.identity import proved_keys, verified_claims
from fluxbase.auth.model import claims_of
from fluxbase.db import ANONYMOUS, Claims
from fluxbase.errors import NotAuthenticatedError, PermissionDeniedError
from fluxbase.http import cookies
from fluxbase.http.credentials import credentials_of, is_service_key
from fluxbase.http.head import head_of
from fluxbase.ratelimit import limiter_of
from fluxbase.service_keys import verified_key

_EVERYTHING = "*"
_FOUND = "fluxbase_caller"


class Caller(NamedTuple):
    """Who asks, and what they may.

    Attributes:
        claims: The role and claims that their transactions run with. A transaction of a session that has ended raises
            `SessionEndedError`.
        user_id: Whose session it is; None for machines and the anonymous.
        session_id: The session.
        scopes: What a service key is limited to; None for everybody else, whom only the database limits.
        key_id: The service key. Whoever keeps a socket open for one listens on `fluxbase_service_keys`, where its id is
            told when it was revoked, disabled or changed.
        key_prefix: Its name in logs and trails.
        ends_at: When the key stops working by itself, for those who hold it for longer than a request.
    """

    claims: Claims
    user_id: UUID | None = None
    session_id: UUID | None = None
    scopes: frozenset[str] | None = None
    key_id: UUID | None = None
    key_prefix: str | None = None
    ends_at: datetime | None = None

    @property
    def is_admin(self) -> bool:
        """Whether this is the operator: the service role, without limits."""
        return self.claims.role == "service_role" and (self.scopes is None or _EVERYTHING in self.scopes)

    def may(self, scope: str) -> bool:
        """Whether the caller's key covers `scope` (`tables:read`); callers without a key are not limited by scopes."""
        whole_area = f"{scope.partition(':')[0]}:*"
        return self.scopes is None or not self.scopes.isdisjoint((scope, whole_area, _EVERYTHING))

    def require(self, scope: str) -> None:
        """Refuse a key that does not cover `scope`.

        Raises:
            PermissionDeniedError: 403.
        """
        if not self.may(scope):
            raise PermissionDeniedError(f"This service key lacks the scope {scope}.")

    def require_admin(self) -> None:
        """Refuse everybody but the operator.

        Raises:
            NotAuthenticatedError: 401, no credential at all.
            PermissionDeniedError: 403.
        """
        if self.claims is ANONYMOUS:
            raise NotAuthenticatedError("This needs a service-role token or a service key with the scope *.")
        if not self.is_admin:
            raise PermissionDeniedError("This needs a service-role token or a service key with the scope *.")


NOBODY = Caller(ANONYMOUS)


async def caller_of(connection: HTTPConnection) -> Caller:
    """The caller of a request or WebSocket, found out once. A credential that is there and wrong is never anonymity.

    Raises:
        NotAuthenticatedError: 401.
        RateLimitError: 429, a service key was used more often than its rates allow.
    """
    known: Caller | None = connection.scope.get(_FOUND)
    if known is None:
        known = connection.scope[_FOUND] = await _find(connection)
    return known


async def _find(connection: HTTPConnection) -> Caller:
    carried = credentials_of(connection.scope)
    key = carried.service_key
    if key is not None:
        return await caller_of_key(connection, key)
    token = carried.bearer
    if token is None:
        token = _websocket_token(connection) or carried.client_key
    if token is not None:
        return await caller_of_credential(connection, token)
    cookie = None if "authorization" in head_of(connection.scope) else cookies.session_token(connection)
    return await _caller_of_cookie(connection, cookie) if cookie else NOBODY


async def caller_of_credential(connection: HTTPConnection, credential: str) -> Caller:
    """The caller that an access token or a service key stands for, such as one that an open socket sends.

    Raises:
        NotAuthenticatedError: 401.
        RateLimitError: 429.
    """
    if is_service_key(credential):
        return await caller_of_key(connection, credential)
    return caller_of_claims(verified_claims(connection, credential))


async def caller_of_key(connection: HTTPConnection, token: str) -> Caller:
    """The caller that a service key stands for; looked up each time, so that revoking it holds at once.

    Raises:
        NotAuthenticatedError: 401.
        RateLimitError: 429.
    """
    key = await verified_key(connection.app.state.resources, limiter_of(connection), token)
    proved_keys(connection).add(token, key.key_prefix)
    claims = Claims("service_role", extra={"key_id": str(key.id)})
    return Caller(claims, scopes=frozenset(key.scopes), key_id=key.id, key_prefix=key.key_prefix, ends_at=key.ends_at)


def caller_of_token(secret: str, token: str) -> Caller:
    """The caller that an access token stands for.

    Raises:
        InvalidTokenError: 401.
    """
    return caller_of_claims(access_tokens.verify(secret, token))


def caller_of_claims(claims: Mapping[str, Any]) -> Caller:
    """The caller of verified claims.

    Raises:
        InvalidTokenError: The claims name no user or session that could be one.
    """
    role: str = claims["role"]
    text = claims.text if isinstance(claims, TokenClaims) else None
    if role != "authenticated":
        return Caller(Claims(role, extra=claims, text=text))
    try:
        (user_id, sub), (session_id, _) = _uuid(claims["sub"]), _uuid(claims["session_id"])
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidTokenError from error
    if claims["sub"] != sub:
        text = None  # another spelling of the id: policies shall see the usual one
    return Caller(Claims(role, sub, claims, session_id, text), user_id, session_id)


@lru_cache(maxsize=4096)
def _uuid(text: str) -> tuple[UUID, str]:
    """The id, and its usual spelling. People ask again and again, and Python's UUIDs are slow to read and write."""
    found = UUID(text)
    return found, str(found)


def _websocket_token(connection: HTTPConnection) -> str | None:
    # Browsers cannot set headers on a WebSocket. Elsewhere an address with a secret in it would end up in logs.
    return connection.query_params.get("token") if connection.scope["type"] == "websocket" else None


async def _caller_of_cookie(connection: HTTPConnection, token: str) -> Caller:
    user = await sessions.user_of(accounts_of(connection), token)
    if user is None or user.session_id is None:
        return NOBODY  # a browser keeps its cookie for longer than a session may last
    return Caller(claims_of(user), user.id, user.session_id)

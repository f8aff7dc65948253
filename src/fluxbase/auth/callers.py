"""Who is asking: told from a request's credentials, as a database role with claims.

The carriers, in this order: a service key (`X-Service-Key`, `Authorization: ServiceKey …`), `Authorization: Bearer
<jwt>` (or `?token=` of a WebSocket), `apikey` or `X-Client-Key`, the browser's cookie. Without any: anonymous.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from starlette.requests import HTTPConnection

from fluxbase.auth import access_tokens
from fluxbase.auth.access_tokens import InvalidTokenError
from fluxbase.auth.dependencies import accounts_of
from fluxbase.db import ANONYMOUS, Claims
from fluxbase.errors import NotAuthenticatedError, PermissionDeniedError
from fluxbase.http import cookies
from fluxbase.http.credentials import bearer_token

_EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they may.

    Attributes:
        claims: The role and claims that their transactions run with. A transaction of a session that has ended raises
            `SessionEndedError`.
        user_id: Whose session it is; None for machines and the anonymous.
        session_id: The session.
        scopes: What a service key is limited to; None for everybody else, whom only the database limits.
        key_id: The service key.
    """

    claims: Claims
    user_id: UUID | None = None
    session_id: UUID | None = None
    scopes: frozenset[str] | None = None
    key_id: UUID | None = None

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
    """The caller of a request or WebSocket. A credential that is there and wrong is an error, never anonymity.

    Raises:
        NotAuthenticatedError: 401.
    """
    for token in (bearer_token(connection.headers), _websocket_token(connection), _client_key(connection)):
        if token:
            return caller_of_token(connection.app.state.resources.addresses.secret, token)
    cookie = None if "authorization" in connection.headers else cookies.session_token(connection)
    return await _caller_of_cookie(connection, cookie) if cookie else NOBODY


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
    if role != "authenticated":
        return Caller(Claims(role, extra=claims))
    try:
        user_id, session_id = UUID(claims["sub"]), UUID(claims["session_id"])
    except (ValueError, AttributeError, TypeError) as error:
        raise InvalidTokenError from error
    return Caller(Claims(role, str(user_id), claims, session_id), user_id, session_id)


def _websocket_token(connection: HTTPConnection) -> str | None:
    # Browsers cannot set headers on a WebSocket. Elsewhere an address with a secret in it would end up in logs.
    return connection.query_params.get("token") if connection.scope["type"] == "websocket" else None


def _client_key(connection: HTTPConnection) -> str | None:
    return connection.headers.get("apikey") or connection.headers.get("x-client-key")


async def _caller_of_cookie(connection: HTTPConnection, token: str) -> Caller:
    user = await accounts_of(connection).user_of(token)
    if user is None or user.session_id is None:
        return NOBODY  # a browser keeps its cookie for longer than a session may last
    claims = user.claims
    return Caller(Claims(claims.role, claims.sub, claims.extra, user.session_id), user.id, user.session_id)

"""Access tokens: short-lived JWTs (HS256) that name a session, or a role for machines that the operator trusts."""

import base64
import binascii
import hmac
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast
from uuid import uuid4

import jwt
from pydantic_core import from_json

from fluxbase.auth.model import User, claims_of
from fluxbase.errors import NotAuthenticatedError

ISSUER = "fluxbase"
AUDIENCE = "authenticated"
ROLES = frozenset(("anon", "authenticated", "service_role"))
_ALGORITHM = "HS256"
_CLOCKS_DIFFER_SECONDS = 30  # of the servers behind one address: what one signs, the next may get a moment too early


class InvalidTokenError(NotAuthenticatedError):
    """The access token is malformed, expired, or not one of this installation."""

    code = "invalid_token"


def issue_for_user(secret: str, user: User, *, now: datetime, lifetime: timedelta) -> str:
    """A token for the session that `user` was found by; valid as long as both it and the session are.

    `amr` and `aal` say how the session was opened (RFC 8176; `aal2` after a second factor).
    """
    claims = claims_of(user)
    return _signed(secret, {"sub": claims.sub, "role": claims.role, **claims.extra}, now, lifetime)


def issue_for_role(secret: str, role: str, *, now: datetime, lifetime: timedelta) -> str:
    """A token for a role alone (`fluxbase token`): no session stands behind it, so nothing but its expiry ends it."""
    return _signed(secret, {"role": role}, now, lifetime)


def _signed(secret: str, claims: Mapping[str, Any], now: datetime, lifetime: timedelta) -> str:
    standard = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + lifetime, "jti": str(uuid4())}
    return jwt.encode({**standard, **claims}, secret, _ALGORITHM)


class TokenClaims(dict[str, Any]):
    """The claims of a token, and the JSON text that says them."""

    text: str | None = None


def verify(secret: str, token: str) -> Mapping[str, Any]:
    """The claims of a token that we signed and that has not expired.

    Raises:
        InvalidTokenError: 401.
    """
    if not token.isascii():
        raise InvalidTokenError
    try:
        claims = _decoded_lean(secret, token) if token.startswith(_OUR_HEADER) else _decoded(secret, token)
    except jwt.ExpiredSignatureError as error:
        raise InvalidTokenError("The access token has expired: use the refresh token, or sign in again.") from error
    except jwt.InvalidTokenError as error:
        raise InvalidTokenError from error
    _check_begun(claims)
    role = claims["role"]
    if (
        not isinstance(role, str)
        or role not in ROLES
        or (role == AUDIENCE) != ("session_id" in claims and "sub" in claims)
    ):
        raise InvalidTokenError
    return claims


def _decoded(secret: str, token: str) -> dict[str, Any]:
    return jwt.decode(
        token,
        secret,
        algorithms=[_ALGORITHM],
        audience=AUDIENCE,
        issuer=ISSUER,
        options={"require": ["exp", "role"], "verify_iat": False, "verify_nbf": False},
    )


def _check_begun(claims: Mapping[str, Any]) -> None:
    latest = time.time() + _CLOCKS_DIFFER_SECONDS
    try:
        early = claims.get("iat", latest) > latest or claims.get("nbf", latest) > latest
    except TypeError as error:
        raise InvalidTokenError from error
    if early:
        raise InvalidTokenError


# What every token of ours begins with: HS256, and nothing else that could be asked of us.
_OUR_HEADER = jwt.encode({}, "x" * 32, _ALGORITHM).partition(".")[0] + "."


@lru_cache(maxsize=4)
def _keyed(secret: str) -> hmac.HMAC:
    # Half of a signature of this length is looking up the algorithm and mixing in the key.
    return hmac.new(secret.encode(), digestmod="sha256")


def _decoded_lean(secret: str, token: str) -> TokenClaims:
    """What `_decoded` does, for tokens with our own header: PyJWT costs several times as much, on every request."""
    signed, _, signature = token.rpartition(".")
    seal = _keyed(secret).copy()
    seal.update(signed.encode())
    if not hmac.compare_digest(_unpadded(seal.digest()), signature.encode()):
        raise jwt.InvalidSignatureError
    payload = signed[len(_OUR_HEADER) :]
    try:
        text = _unarmored(payload).decode()
        # PostgreSQL reads the same text, and would not understand NaN.
        claims: Any = from_json(text, allow_inf_nan=False)
    except ValueError as error:  # signed by who shares our secret, and careless
        raise jwt.InvalidTokenError from error
    if not isinstance(claims, dict):
        raise jwt.InvalidTokenError
    found = TokenClaims(cast("dict[str, Any]", claims))
    found.text = text
    if found.get("aud") != AUDIENCE or found.get("iss") != ISSUER or "role" not in found:
        raise jwt.InvalidTokenError
    try:
        expired = found["exp"] <= time.time()
    except (KeyError, TypeError) as error:
        raise jwt.InvalidTokenError from error
    if expired:
        raise jwt.ExpiredSignatureError
    return found


def _unpadded(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _unarmored(part: str) -> bytes:
    # base64's own function makes a table of letters each time. Too much padding at the end does no harm.
    return binascii.a2b_base64(part.replace("-", "+").replace("_", "/") + "==")

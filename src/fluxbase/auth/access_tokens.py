"""Access tokens: short-lived JWTs (HS256) that name a session, or a role for machines that the operator trusts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt

from fluxbase.auth.model import Proof, User
from fluxbase.errors import NotAuthenticatedError

ISSUER = "fluxbase"
AUDIENCE = "authenticated"
ROLES = frozenset(("anon", "authenticated", "service_role"))
_ALGORITHM = "HS256"


class InvalidTokenError(NotAuthenticatedError):
    """The access token is malformed, expired, or not one of this installation."""

    code = "invalid_token"


def issue_for_user(secret: str, user: User, proof: Proof, *, now: datetime, lifetime: timedelta) -> str:
    """A token for the session that `user` was found by; valid as long as both it and the session are.

    `amr` and `aal` say how the session was opened (RFC 8176; `aal2` after a second factor).
    """
    return _signed(
        secret,
        {
            "sub": str(user.id),
            "email": user.email,
            "role": "authenticated",
            "session_id": str(user.session_id),
            "aal": proof.aal,
            "amr": list(proof.methods),
            "user_metadata": dict(user.user_metadata),
            "app_metadata": dict(user.app_metadata),
        },
        now,
        lifetime,
    )


def issue_for_role(secret: str, role: str, *, now: datetime, lifetime: timedelta) -> str:
    """A token for a role alone (`fluxbase token`): no session stands behind it, so nothing but its expiry ends it."""
    return _signed(secret, {"role": role}, now, lifetime)


def _signed(secret: str, claims: Mapping[str, Any], now: datetime, lifetime: timedelta) -> str:
    standard = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + lifetime, "jti": str(uuid4())}
    return jwt.encode({**standard, **claims}, secret, _ALGORITHM)


def verify(secret: str, token: str) -> Mapping[str, Any]:
    """The claims of a token that we signed and that has not expired.

    Raises:
        InvalidTokenError: 401.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": ["exp", "role"]},
        )
    except jwt.ExpiredSignatureError as error:
        raise InvalidTokenError("The access token has expired: use the refresh token, or sign in again.") from error
    except jwt.InvalidTokenError as error:
        raise InvalidTokenError from error
    if claims["role"] not in ROLES or (claims["role"] == AUDIENCE) != ("session_id" in claims and "sub" in claims):
        raise InvalidTokenError
    return claims

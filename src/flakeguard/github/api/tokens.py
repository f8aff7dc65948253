"""Whom GitHub takes us for: the App by a JWT of its key, an installation by a token of an hour."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from flakeguard.github.api.calling import Caller, json_of
from flakeguard.github.errors import GitHubAwayError
from fluxbase.errors import ConfigurationError

_JWT_LASTS = timedelta(minutes=9)  # GitHub takes 10, by its clock
_CLOCKS_DIFFER = timedelta(seconds=60)
_RENEW_BEFORE = timedelta(minutes=5)
_ACCESS_TOKENS = "POST /app/installations/{installation_id}/access_tokens"


class AppKey:
    """The App's private key, in PEM; backslash and n may stand for line ends, as environment files have them."""

    def __init__(self, app_id: int, pem: str) -> None:
        """Raises ConfigurationError when it is no RSA key."""
        try:
            key = load_pem_private_key(pem.replace("\\n", "\n").strip().encode(), password=None)
        except (ValueError, TypeError):
            raise ConfigurationError(
                "GITHUB_PRIVATE_KEY is no private key in PEM: paste the file of the App's page"
            ) from None
        if not isinstance(key, RSAPrivateKey):
            raise ConfigurationError("GITHUB_PRIVATE_KEY is not an RSA key, which GitHub's Apps have")
        self._key = key
        self.app_id = app_id

    def jwt(self, now: datetime) -> str:
        """Says that we are the App, for some minutes."""
        issued, expires = now - _CLOCKS_DIFFER, now + _JWT_LASTS
        claims = {"iat": int(issued.timestamp()), "exp": int(expires.timestamp()), "iss": str(self.app_id)}
        return jwt.encode(claims, self._key, algorithm="RS256")


@dataclass(slots=True)
class _Kept:
    token: str = field(default="", repr=False)
    expires_at: datetime | None = None
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Tokens:
    """Installations' tokens, kept in this process alone and renewed before they end, once however many ask."""

    def __init__(self, caller: Caller, key: AppKey, now: Callable[[], datetime]) -> None:
        self._caller = caller
        self._key = key
        self._now = now
        self._kept: dict[int, _Kept] = {}

    def of_app(self) -> str:
        """The App's own."""
        return self._key.jwt(self._now())

    async def of(self, installation_id: int) -> str:
        """One that lasts a few more minutes.

        Raises:
            GoneError: The App is not installed there any more.
            RateLimitedError, GitHubAwayError, GitHubRefusedError: As every call.
        """
        kept = self._kept.setdefault(installation_id, _Kept())
        async with kept.renewing:
            if kept.expires_at is None or kept.expires_at - self._now() < _RENEW_BEFORE:
                kept.token, kept.expires_at = await self._made(installation_id)
            return kept.token

    def forget(self, installation_id: int, token: str) -> None:
        """GitHub does not take it (any more): the next call makes another."""
        kept = self._kept.get(installation_id)
        if kept is not None and kept.token == token:
            kept.expires_at = None

    async def _made(self, installation_id: int) -> tuple[str, datetime]:
        answer = await self._caller.call(
            _ACCESS_TOKENS, token=self.of_app(), budget="app", path={"installation_id": installation_id}
        )
        told = json_of(answer, _ACCESS_TOKENS)
        try:
            return str(told["token"]), datetime.fromisoformat(told["expires_at"])
        except (KeyError, TypeError, ValueError):
            raise GitHubAwayError(f"{_ACCESS_TOKENS}: the answer holds no token") from None

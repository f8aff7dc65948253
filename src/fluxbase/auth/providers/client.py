"""Speaking with a provider, by Authlib, which has no types: what comes from it is checked and typed here."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from fluxbase.auth.providers import configured
from fluxbase.auth.providers.errors import ProviderAwayError, ProviderRefusedError
from fluxbase.auth.providers.model import Endpoints, Provider, Vouched

_PATIENCE_SECONDS = 10
_CLOCKS_DIFFER_SECONDS = 60
# Never HS256: with that whoever knows the client's secret could sign as the provider. Never none.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


class ProviderClient:
    """One conversation with one provider."""

    def __init__(self, provider: Provider, redirect_uri: str, http: Any) -> None:
        self._provider = provider
        self._redirect_uri = redirect_uri
        self._http = http

    async def authorization_url(self, *, state: str, nonce: str, code_verifier: str) -> str:
        """Where the browser is sent, with state, PKCE challenge (S256) and nonce.

        Raises:
            ProviderAwayError: 503.
        """
        endpoints = await self._endpoints()
        more = {"nonce": nonce} if endpoints.issuer else {}
        url, _ = self._http.create_authorization_url(
            endpoints.authorize, state=state, code_verifier=code_verifier, **more
        )
        return url

    async def vouched(self, code: str, *, nonce: str, code_verifier: str) -> Vouched:
        """Whom the provider vouches for, in exchange for the code that the browser brought back.

        Raises:
            ProviderRefusedError: 401, the code or the id token is not right.
            ProviderAwayError: 503.
        """
        endpoints = await self._endpoints()
        try:
            token: dict[str, Any] = await self._http.fetch_token(
                endpoints.token, code=code, code_verifier=code_verifier, redirect_uri=self._redirect_uri
            )
        except OAuthError as error:
            raise ProviderRefusedError from error
        except ValueError as error:
            raise ProviderAwayError from error
        if endpoints.issuer is None:
            return await self._of_github(endpoints)
        return await self._of_id_token(endpoints, token, nonce)

    async def _endpoints(self) -> Endpoints:
        if self._provider.issuer is None:
            if self._provider.name != configured.GITHUB:
                raise ProviderAwayError(f"The provider {self._provider.name} has no issuer configured.")
            return configured.GITHUB_ENDPOINTS
        issuer = self._provider.issuer.rstrip("/")
        found = await self._get(f"{issuer}/.well-known/openid-configuration", anonymous=True)
        try:
            if found["issuer"].rstrip("/") != issuer:
                raise ProviderAwayError("The provider's discovery document is another issuer's.")
            offered = found.get("id_token_signing_alg_values_supported") or ["RS256"]
            return Endpoints(
                authorize=found["authorization_endpoint"],
                token=found["token_endpoint"],
                user=found.get("userinfo_endpoint", ""),
                issuer=found["issuer"],
                keys=found["jwks_uri"],
                algorithms=tuple(name for name in _ALGORITHMS if name in offered),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ProviderAwayError from error

    async def _get(self, url: str, *, anonymous: bool = False) -> Any:
        answer = await self._http.request("GET", url, withhold_token=anonymous, headers={"Accept": "application/json"})
        try:
            answer.raise_for_status()
            return answer.json()
        except ValueError as error:  # not JSON, or not even text
            raise ProviderAwayError from error

    async def _of_id_token(self, endpoints: Endpoints, token: dict[str, Any], nonce: str) -> Vouched:
        claims = await self._claims(endpoints, token, nonce)
        if "email" not in claims and endpoints.user:
            said = _object(await self._get(endpoints.user))
            if said.get("sub") == claims["sub"]:
                claims = {**said, **claims}
        return Vouched(
            provider=self._provider.name,
            provider_id=str(claims["sub"]),
            email=_text(claims.get("email")),
            email_verified=claims.get("email_verified") in (True, "true"),
            name=_text(claims.get("name")),
        )

    async def _claims(self, endpoints: Endpoints, token: dict[str, Any], nonce: str) -> dict[str, Any]:
        keys = await self._get(endpoints.keys or "", anonymous=True)
        try:
            decoded = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=list(endpoints.algorithms))
            claims: Any = CodeIDToken(
                decoded.claims,
                decoded.header,
                {"iss": {"essential": True, "value": endpoints.issuer}, "aud": {"value": self._provider.client_id}},
                {"nonce": nonce, "client_id": self._provider.client_id, "access_token": token.get("access_token")},
            )
            claims.validate(leeway=_CLOCKS_DIFFER_SECONDS)
        except (JoseError, KeyError, TypeError, ValueError) as error:  # of JSON that may be anything
            raise ProviderRefusedError("The provider's answer is not signed as it should be.") from error
        return dict(claims)

    async def _of_github(self, endpoints: Endpoints) -> Vouched:
        user, addresses = await self._get(endpoints.user), await self._get(f"{endpoints.user}/emails")
        try:
            primary = next((entry for entry in addresses if entry["primary"]), None)
            return Vouched(
                provider=self._provider.name,
                provider_id=str(user["id"]),
                email=_text(primary["email"]) if primary else None,
                email_verified=primary is not None and primary["verified"] is True,
                name=_text(user.get("name") or user.get("login")),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ProviderAwayError from error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProviderAwayError
    return value  # pyright: ignore[reportUnknownVariableType] -- JSON, whose keys are texts


def _text(value: object) -> str | None:
    return value.replace("\0", "")[:320] if isinstance(value, str) and value else None


@asynccontextmanager
async def speaking_with(provider: Provider, redirect_uri: str) -> AsyncGenerator[ProviderClient]:
    """A conversation with `provider`; it follows no redirects.

    Raises:
        ProviderAwayError: 503, whatever goes wrong on the way.
    """
    http: Any = AsyncOAuth2Client(
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        scope=provider.scope,
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
        timeout=_PATIENCE_SECONDS,
        follow_redirects=False,
    )
    try:
        async with http:
            yield ProviderClient(provider, redirect_uri, http)
    except Exception as error:
        # Authlib speaks through httpx or httpx2, whichever is there, and their errors share no base.
        if type(error).__module__.split(".")[0] in ("httpx", "httpx2"):
            raise ProviderAwayError from error
        raise

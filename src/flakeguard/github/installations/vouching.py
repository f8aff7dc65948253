"""What GitHub says of a person: that they administer the account that the App is installed for.

Seeing an installation is not enough: GitHub shows it to everybody who can read one of its repositories.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from flakeguard.github.facts import Account
from flakeguard.github.installations.errors import CodeRefusedError, GitHubAwayError, NotAdministratorError
from flakeguard.github.installations.leaving import web_url

_PATIENCE_SECONDS = 10
_MOST_SECONDS = 30
"""For all questions together: somebody waits in front of a browser."""
_A_PAGE, _MOST_PAGES = 100, 20
_OK, _NOT_YOURS = 200, (403, 404)


@asynccontextmanager
async def connected() -> AsyncGenerator[httpx.AsyncClient]:
    """A client that follows no redirect: a token goes where it was meant to go.

    Raises:
        GitHubAwayError: 503, whatever goes wrong on the way.
    """
    try:
        async with (
            asyncio.timeout(_MOST_SECONDS),
            httpx.AsyncClient(timeout=_PATIENCE_SECONDS, follow_redirects=False) as client,
        ):
            yield client
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise GitHubAwayError from error


async def token_for(client: httpx.AsyncClient, api_url: str, exchange: Mapping[str, str]) -> str:
    """The person's token, in exchange for the code that their browser brought back.

    Raises:
        CodeRefusedError: 403.
        GitHubAwayError: 503.
    """
    answer = await client.post(
        f"{web_url(api_url)}/login/oauth/access_token", data=dict(exchange), headers={"Accept": "application/json"}
    )
    said = _object(answer)
    token = said.get("access_token")
    if isinstance(token, str) and token:
        return token
    if "error" in said:
        raise CodeRefusedError
    raise GitHubAwayError


async def administered(client: httpx.AsyncClient, api_url: str, token: str, installation_id: int) -> Account:
    """The account of the installation, when the person administers it.

    Raises:
        NotAdministratorError: 403.
        GitHubAwayError: 503.
    """
    ask = _Asking(client, api_url.rstrip("/"), token)
    account = await ask.account_of(installation_id)
    if account is None or not await ask.administers(account):
        raise NotAdministratorError
    return account


class _Asking:
    """Questions as the person."""

    def __init__(self, client: httpx.AsyncClient, api: str, token: str) -> None:
        self._client = client
        self._api = api
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    async def account_of(self, installation_id: int) -> Account | None:
        for page in range(1, _MOST_PAGES + 1):
            said = await self._get(f"/user/installations?per_page={_A_PAGE}&page={page}")
            found: list[Any] = (said or {}).get("installations") or []
            for one in found:
                if one["id"] == installation_id:
                    account = one["account"]  # may be null; an enterprise has no login, and is nobody's organisation
                    return account and Account(account["id"], account.get("login", ""), one["target_type"])
            if len(found) < _A_PAGE:
                return None
        return None

    async def administers(self, account: Account) -> bool:
        if account.type == "User":
            said = await self._get("/user")
            return said is not None and said.get("id") == account.id
        if not account.login:
            return False
        said = await self._get(f"/user/memberships/orgs/{quote(account.login, safe='')}")
        told: Any = (said or {}).get("organization") or {}
        if said is None or told.get("id") != account.id:
            return False
        return said.get("state") == "active" and said.get("role") == "admin"

    async def _get(self, path: str) -> dict[str, Any] | None:
        answer = await self._client.get(self._api + path, headers=self._headers)
        return None if answer.status_code in _NOT_YOURS else _object(answer)


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json() if answer.status_code == _OK else None
    except ValueError as error:
        raise GitHubAwayError from error
    if not isinstance(said, dict):
        raise GitHubAwayError
    return said  # pyright: ignore[reportUnknownVariableType] -- JSON

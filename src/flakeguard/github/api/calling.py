"""One call of GitHub's REST API: by githubkit, timed, counted, and with our errors."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypedDict, cast
from urllib.parse import quote

import httpx
from githubkit.auth import UnauthAuthStrategy
from githubkit.core import GitHubCore
from githubkit.exception import RequestError, RequestFailed, RequestTimeout

from flakeguard.github.api.allowance import told_by
from flakeguard.github.api.budgets import Budgets
from flakeguard.github.api.refusals import refusal
from flakeguard.github.errors import GitHubAwayError, RateLimitedError
from flakeguard.worker.metrics import GitHubMetrics

_API_VERSION = "2022-11-28"
_PATIENCE = httpx.Timeout(20.0, connect=5.0)
_MOST_SECONDS = 60.0
"""For a whole answer. GitHub ends what takes it longer than 10 seconds; the rest is for a megabyte on a slow way."""
A_PAGE = 100
MOST_PAGES = 100
_MOST_REDIRECTS = 3
_MOVED = (301, 307, 308)  # a repository that was renamed
_NOT_MODIFIED = 304

type Body = Mapping[str, Any]


class Asked(TypedDict):
    """What a call has beside its endpoint and token; see `Caller.call`."""

    budget: int | str
    path: Mapping[str, object] | None
    query: Mapping[str, str | int] | None
    body: Body | None
    etag: str | None
    can_wait: bool


class _Core(GitHubCore[UnauthAuthStrategy]):
    """githubkit with one connection pool a process: tokens go with calls, whichever installation they are of."""

    def __init__(self, api_url: str, patience: httpx.Timeout) -> None:
        super().__init__(
            UnauthAuthStrategy(), base_url=api_url, user_agent="FlakeGuard", timeout=patience,
            follow_redirects=False,  # a token goes where it was meant to go
            http_cache=False, auto_retry=False,  # the queue's retry policy decides
        )  # fmt: skip
        self._opened: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def get_async_client(self) -> AsyncGenerator[httpx.AsyncClient]:
        if self._opened is None:
            self._opened = await self._create_async_client()
        yield self._opened

    async def ask(self, method: str, address: str, **sent: Any) -> httpx.Response:
        answer = await self.arequest(method, address, **sent)  # pyright: ignore[reportUnknownMemberType] -- a bare dict
        return answer.raw_response

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()
            self._opened = None


class Caller:
    """Calls endpoints by their templates, such as `GET /repos/{owner}/{repo}/actions/runs`."""

    def __init__(
        self, api_url: str, metrics: GitHubMetrics, budgets: Budgets, patience: httpx.Timeout = _PATIENCE
    ) -> None:
        self.api_url = api_url
        self._core = _Core(api_url, patience)
        self._metrics = metrics
        self._budgets = budgets

    async def aclose(self) -> None:
        """Close its connections."""
        await self._core.aclose()

    async def call(
        self,
        endpoint: str,
        *,
        token: str,
        budget: int | str,
        path: Mapping[str, object] | None = None,
        query: Mapping[str, str | int] | None = None,
        body: Body | None = None,
        etag: str | None = None,
        can_wait: bool = False,
    ) -> httpx.Response:
        """The answer; a redirect is followed to the same host only, another is the answer.

        `budget` is whose rate limit it counts against: an installation, or `app`; what `can_wait` leaves its reserve
        alone. With an `etag` the answer is 304 when what is there is still what the etag was given with, which costs
        nothing of the limit.

        Raises:
            RateLimitedError: Not before the seconds it names; GitHub was not asked when that is known already.
            GitHubAwayError: No answer, or one of 5xx.
            GitHubRefusedError: It says what to do.
            GoneError: 404 or 410.
        """
        method, _, template = endpoint.partition(" ")
        address = template.format_map({name: quote(str(value), safe="") for name, value in (path or {}).items()})
        headers = {"Authorization": f"Bearer {token}", "X-GitHub-Api-Version": _API_VERSION}
        if etag is not None:
            headers["If-None-Match"] = etag
        await self._budgets.take(budget, can_wait=can_wait)
        answer = await self._send(
            endpoint, method, address, budget, params=dict(query or {}), json=body, headers=headers
        )
        for _ in range(_MOST_REDIRECTS):
            moved = answer.headers.get("location") if answer.status_code in _MOVED else None
            if moved is None or not _same_host(answer.request.url, answer.request.url.join(moved)):
                break  # what is elsewhere is the caller's to fetch, without the token
            await self._budgets.take(budget, can_wait=can_wait)
            answer = await self._send(endpoint, method, moved, budget, json=body, headers=headers)
        return answer

    async def _send(self, endpoint: str, method: str, address: str, budget: int | str, **sent: Any) -> httpx.Response:
        started = time.perf_counter()
        status: int | str = "network"
        try:
            async with asyncio.timeout(_MOST_SECONDS):
                answer = await self._core.ask(method, address, **sent)
            status = answer.status_code
            await self._budgets.hear(budget, told_by(answer.headers, free=status == _NOT_MODIFIED))
        except RequestFailed as failed:
            refused = failed.response.raw_response
            status = refused.status_code
            error = refusal(status, refused.headers, _message(refused), endpoint, now=time.time())
            waits = error.seconds if isinstance(error, RateLimitedError) else None
            await self._budgets.hear(budget, told_by(refused.headers, wait_seconds=waits))
            raise error from None
        except (RequestTimeout, TimeoutError):
            status = "timeout"
            raise GitHubAwayError(f"{endpoint}: no answer in time") from None
        except RequestError as error:  # pyright: ignore[reportUnknownVariableType] -- generic without a default
            cause = type(cast("Exception", error.exc)).__name__  # pyright: ignore[reportUnknownMemberType]
            raise GitHubAwayError(f"{endpoint}: {cause}") from None
        except ValueError:  # githubkit reads numbers of headers
            raise GitHubAwayError(f"{endpoint}: an answer that cannot be understood") from None
        else:
            return answer
        finally:
            self._metrics.called(endpoint, status, time.perf_counter() - started)


def _same_host(one: httpx.URL, other: httpx.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def json_of(answer: httpx.Response, endpoint: str) -> Any:
    """The answer's JSON.

    Raises:
        GitHubAwayError: It is none: a proxy's page, or half an answer.
    """
    try:
        return answer.json()
    except ValueError:
        raise GitHubAwayError(f"{endpoint}: the answer is no JSON") from None


def entries_of(answer: httpx.Response, endpoint: str, key: str | None) -> Sequence[Body]:
    """Entries of a list's page, of the answer's `key` or the answer itself.

    Raises:
        GitHubAwayError: It is no list.
    """
    told = json_of(answer, endpoint)
    found: Any = told if key is None else cast("Body", told).get(key)
    if not isinstance(found, list):
        raise GitHubAwayError(f"{endpoint}: the answer is no list")
    return cast("list[Body]", found)


def next_page(answer: httpx.Response) -> Mapping[str, str | int] | None:
    """What to ask the same endpoint for next, as the answer's link says; None on the last page."""
    address = answer.links.get("next", {}).get("url")
    return None if address is None else dict(httpx.URL(address).params)


def _message(answer: httpx.Response) -> str:
    try:
        told = answer.json()
    except ValueError:
        return ""
    return str(cast("Body", told).get("message", "")) if isinstance(told, dict) else ""

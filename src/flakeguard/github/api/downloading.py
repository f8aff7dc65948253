"""Artifacts from where GitHub keeps them: another host, which is shown no token."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import BinaryIO

import httpx

from flakeguard.github.api.guard import Destination, destinations
from flakeguard.github.api.refusals import refusal
from flakeguard.github.errors import GitHubAwayError, GitHubRefusedError, TooLargeError
from flakeguard.worker.metrics import GitHubMetrics

_PATIENCE = httpx.Timeout(30.0, connect=5.0)
_MOST_SECONDS = 15 * 60
_SLOWEST_BYTES_A_SECOND, _SLOW_AFTER_SECONDS = 16 * 1024, 30.0
_OK = 200
_NAME = "GET artifact storage"


async def download(
    address: str,
    into: BinaryIO,
    most_bytes: int,
    *,
    api_url: str,
    metrics: GitHubMetrics,
    patience: httpx.Timeout = _PATIENCE,
) -> bool:
    """Write what is at `address` to `into`, a piece at a time; what was written is of no use when this raises.

    Whether the storage had said how many bytes there are: then it is certain that all of them came.

    Raises:
        TooLargeError: There are more than `most_bytes`.
        GitHubAwayError: It ended early, there is no answer, or it comes too slowly to wait for.
        GoneError: It has expired.
        GitHubRefusedError: As every call, and when the address, which `api_url` named, is none to follow (`guard`).
        RateLimitedError: As every call.
    """
    started = time.perf_counter()
    status: int | str = "network"
    try:
        async with asyncio.timeout(_MOST_SECONDS), _asked(address, api_url, patience) as answer:
            status = answer.status_code
            if status != _OK:
                raise refusal(status, answer.headers, "", _NAME, now=time.time())
            return await _write(answer, into, most_bytes)
    except (httpx.TimeoutException, TimeoutError):
        status = "timeout"
        raise GitHubAwayError(f"{_NAME}: no answer in time") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise GitHubRefusedError(f"{_NAME}: GitHub's redirect names no address; check GITHUB_API_URL") from None
    except httpx.HTTPError as error:  # its text may hold the address, which is signed
        status = "network"
        raise GitHubAwayError(f"{_NAME}: {type(error).__name__}") from None
    finally:
        metrics.called(_NAME, status, time.perf_counter() - started)


@asynccontextmanager
async def _asked(address: str, api_url: str, patience: httpx.Timeout) -> AsyncGenerator[httpx.Response]:
    to = await destinations(address, api_url)
    async with httpx.AsyncClient(verify=_trust(), timeout=patience, follow_redirects=False) as client:
        answer = await _first_answer(client, to)
        try:
            yield answer
        finally:
            await answer.aclose()


async def _first_answer(client: httpx.AsyncClient, to: Sequence[Destination]) -> httpx.Response:
    """Of the first destination that lets us connect; what fails after that is no matter of its address."""
    *others, last = to
    for one in others:
        try:
            return await _ask(client, one)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
    return await _ask(client, last)


async def _ask(client: httpx.AsyncClient, to: Destination) -> httpx.Response:
    headers = {"Accept-Encoding": "identity", **to.headers}
    return await client.send(
        client.build_request("GET", to.url, headers=headers, extensions=to.extensions), stream=True
    )


@cache
def _trust() -> ssl.SSLContext:
    """What certificates are trusted, read once: reading them took as long as all the rest of fetching a small run."""
    return httpx.create_ssl_context()


async def _write(answer: httpx.Response, into: BinaryIO, most_bytes: int) -> bool:
    promised = int(told) if (told := answer.headers.get("content-length", "")).isdecimal() else None
    if promised is not None and promised > most_bytes:
        raise TooLargeError(f"the artifact has {promised} bytes; this server takes {most_bytes}")
    size, started = 0, time.monotonic()
    async for piece in answer.aiter_raw():  # as it comes: what waits for a whole piece does not see how slow it is
        size += len(piece)
        if size > most_bytes:
            raise TooLargeError(f"the artifact has more than the {most_bytes} bytes that this server takes")
        took = time.monotonic() - started
        if took > _SLOW_AFTER_SECONDS and size < took * _SLOWEST_BYTES_A_SECOND:
            raise GitHubAwayError(f"{_NAME}: {size} bytes in {took:.0f} s are too slow to wait for")
        into.write(piece)
    if promised is not None and size != promised:
        raise GitHubAwayError(f"{_NAME}: it ended after {size} of {promised} bytes")
    return promised is not None

"""Artifacts from where GitHub keeps them: another host, which is shown no token."""

import ssl
import time
from functools import cache
from typing import BinaryIO

import httpx

from flakeguard.github.api.refusals import refusal
from flakeguard.github.errors import GitHubAwayError, GitHubRefusedError, TooLargeError
from flakeguard.worker.metrics import GitHubMetrics

_PATIENCE = httpx.Timeout(30.0, connect=5.0)
_PIECE_BYTES = 64 * 1024
_OK = 200
_NAME = "GET artifact storage"


async def download(
    address: str, into: BinaryIO, most_bytes: int, *, metrics: GitHubMetrics, patience: httpx.Timeout = _PATIENCE
) -> None:
    """Write what is at `address` to `into`, a piece at a time; what was written is of no use when this raises.

    Raises:
        TooLargeError: There are more than `most_bytes`.
        GitHubAwayError: It ended early, or there is no answer.
        GoneError: It has expired.
        RateLimitedError, GitHubRefusedError: As every call.
    """
    started = time.perf_counter()
    status: int | str = "network"
    try:
        async with (
            httpx.AsyncClient(verify=_trust(), timeout=patience, follow_redirects=False) as client,
            client.stream("GET", address, headers={"Accept-Encoding": "identity"}) as answer,
        ):
            status = answer.status_code
            if status != _OK:
                raise refusal(status, answer.headers, "", _NAME, now=time.time())
            await _write(answer, into, most_bytes)
    except httpx.TimeoutException:
        status = "timeout"
        raise GitHubAwayError(f"{_NAME}: no answer in time") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        raise GitHubRefusedError(f"{_NAME}: GitHub's redirect names no address; check GITHUB_API_URL") from None
    except httpx.HTTPError as error:  # its text may hold the address, which is signed
        status = "network"
        raise GitHubAwayError(f"{_NAME}: {type(error).__name__}") from None
    finally:
        metrics.called(_NAME, status, time.perf_counter() - started)


@cache
def _trust() -> ssl.SSLContext:
    """What certificates are trusted, read once: reading them took as long as all the rest of fetching a small run."""
    return httpx.create_ssl_context()


async def _write(answer: httpx.Response, into: BinaryIO, most_bytes: int) -> None:
    promised = int(told) if (told := answer.headers.get("content-length", "")).isdecimal() else None
    if promised is not None and promised > most_bytes:
        raise TooLargeError(f"the artifact has {promised} bytes; this server takes {most_bytes}")
    size = 0
    async for piece in answer.aiter_raw(_PIECE_BYTES):
        size += len(piece)
        if size > most_bytes:
            raise TooLargeError(f"the artifact has more than the {most_bytes} bytes that this server takes")
        into.write(piece)
    if promised is not None and size != promised:
        raise GitHubAwayError(f"{_NAME}: it ended after {size} of {promised} bytes")

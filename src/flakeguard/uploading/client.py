"""The HTTP side of an upload: one request per batch, tried again when that can help."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Self, cast

import httpx
import tenacity

from flakeguard.uploading.compression import GzipReader, open_compressed
from flakeguard.uploading.files import ReportFile

INGEST_PATH = "/api/v1/ingest/junit"
INGESTION_PATH = "/api/v1/ingestions"

_RETRIED = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
DEFAULT_ATTEMPTS = 5
DEFAULT_PATIENCE_SECONDS = 300.0
_MAX_MESSAGE = 500
_LONGEST_POLL_SECONDS = 20  # well below the timeouts of proxies
_TIMEOUT = httpx.Timeout(60, connect=10)


class UploadError(Exception):
    """An upload did not arrive."""


class Refused(UploadError):  # noqa: N818 - "refused" is the word of the documentation
    """The server answered, and the answer is no.

    Attributes:
        status: HTTP status.
        code: the server's error code, or `http_<status>` when the answer was not FlakeGuard's.
        message: the server's message.
        request_id: what to quote to the server's operator.
        retry_after: seconds after which the server wants to be asked again.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status, self.code, self.message = status, code, message
        self.request_id, self.retry_after = request_id, retry_after

    @property
    def is_worth_a_retry(self) -> bool:
        """Whether the same request may be accepted later."""
        return self.status in _RETRIED

    @property
    def is_server_failure(self) -> bool:
        """Whether the server, or a proxy before it, is out of order (5xx)."""
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def is_too_large(self) -> bool:
        """Whether fewer files in one request may be accepted."""
        return self.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or self.code == "too_many_files"


class Unreachable(UploadError):  # noqa: N818 - as above
    """No answer: the connection failed, broke, or took too long."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again.

    Attributes:
        attempts: how often one request is sent at most.
        patience_seconds: no further try begins later than this after the first one.
        first_wait_seconds: the wait after the first failure; it doubles, with jitter, up to 30 s. A
            `Retry-After` of the server goes before it.
        sleep: waits that many seconds.
    """

    attempts: int = DEFAULT_ATTEMPTS
    patience_seconds: float = DEFAULT_PATIENCE_SECONDS
    first_wait_seconds: float = 1
    sleep: Callable[[float], None] = time.sleep


type Notice = Callable[[UploadError, float], None]
"""Told before each wait: what went wrong, and how many seconds until the next try."""


class IngestClient:
    """Speaks to one server with one project key. Use as a context manager."""

    def __init__(self, url: str, api_key: str, *, policy: RetryPolicy, notice: Notice) -> None:
        self._http = httpx.Client(
            base_url=url,
            timeout=_TIMEOUT,
            headers={"Authorization": f"Bearer {api_key}", "User-Agent": "flakeguard-cli"},
        )
        self._policy = policy
        self._notice = notice

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, meta: Mapping[str, Any], files: Sequence[ReportFile]) -> dict[str, Any]:
        """Send one batch and return the `data` of the 202 answer.

        The files are read, compressed and sent in chunks; memory does not grow with their size. Trying again
        is safe: the server knows an upload by its content and run.

        Raises:
            Refused: the server said no, also after the retries that make sense.
            Unreachable: no answer after all retries.
            OSError: a file cannot be read.
        """
        return self._retrying()(self._send_once, meta, files)

    def ingestion(self, ingestion_id: str, *, wait_seconds: float) -> dict[str, Any]:
        """Return what the server knows of an ingestion, as soon as it is final or the time is up.

        Raises as `send` does. The server may answer earlier than asked.
        """
        params = {"wait": int(min(wait_seconds, _LONGEST_POLL_SECONDS))}
        return self._retrying()(self._request, "GET", f"{INGESTION_PATH}/{ingestion_id}", params=params)

    def read(self, path: str, **params: Any) -> dict[str, Any]:
        """Return the `data` of a GET. Raises as `send` does; parameters that are None are left out."""
        given = {name: value for name, value in params.items() if value is not None}
        return self._retrying()(self._request, "GET", path, params=given)

    def _send_once(self, meta: Mapping[str, Any], files: Sequence[ReportFile]) -> dict[str, Any]:
        opened: list[GzipReader] = []
        parts: list[tuple[str, Any]] = [("meta", (None, json.dumps(meta).encode(), "application/json"))]
        try:
            for file in files:
                name, stream, media_type = open_compressed(file.path, file.name)
                opened.append(stream)
                parts.append(("junit", (name, stream, media_type)))
            return self._request("POST", INGEST_PATH, files=parts)
        finally:
            for stream in opened:
                stream.close()

    def _request(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.TransportError as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        if not response.is_success:
            raise refusal(response, now=datetime.now(UTC))
        document = _json(response)
        data = document.get("data")
        if not isinstance(data, dict):
            raise Refused(response.status_code, "unexpected_answer", "The answer is not FlakeGuard's.")
        return cast("dict[str, Any]", data)

    def _retrying(self) -> tenacity.Retrying:
        policy = self._policy
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_worth_a_retry),
            stop=tenacity.stop_after_attempt(policy.attempts) | tenacity.stop_before_delay(policy.patience_seconds),
            wait=_Wait(tenacity.wait_exponential_jitter(policy.first_wait_seconds, max=30)),
            sleep=policy.sleep,
            before_sleep=self._before_sleep,
            reraise=True,
        )

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, UploadError):
            self._notice(error, state.upcoming_sleep)


class _Wait(tenacity.wait.wait_base):
    """Waits as long as the server asked, and by back-off where it did not."""

    def __init__(self, backoff: tenacity.wait.wait_base) -> None:
        self._backoff = backoff

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        if isinstance(error, Refused) and error.retry_after is not None:
            return error.retry_after
        return self._backoff(retry_state)


def _is_worth_a_retry(error: BaseException) -> bool:
    return isinstance(error, Unreachable) or (isinstance(error, Refused) and error.is_worth_a_retry)


def refusal(response: httpx.Response, *, now: datetime) -> Refused:
    """Return the refusal that an unsuccessful answer means, whoever gave it (a proxy may have)."""
    error = _json(response).get("error")
    fields = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    message = str(fields.get("message") or "") or _foreign_message(response)
    return Refused(
        response.status_code,
        str(fields.get("code") or f"http_{response.status_code}"),
        message[:_MAX_MESSAGE],
        request_id=fields.get("request_id"),
        retry_after=retry_after(response.headers.get("Retry-After"), now=now),
    )


def retry_after(header: str | None, *, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3), or None."""
    if not header:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _foreign_message(response: httpx.Response) -> str:
    reason = f"{response.status_code} {response.reason_phrase}".strip()
    if response.is_redirect:
        return f"{reason}, to {response.headers.get('Location', 'nowhere')}"
    return f"{reason} (the answer is not FlakeGuard's; a proxy may have given it)"


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}

"""The limit on requests per client, before anything else is done for them."""

import math
from collections.abc import Sequence
from typing import Any

import structlog
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope

from fluxbase.auth.identity import client_subject
from fluxbase.errors import RateLimitError
from fluxbase.http.context import answer_with
from fluxbase.monitoring.metrics import metrics_of
from fluxbase.ratelimit.bucket import TokenBucket, Verdict
from fluxbase.settings import Settings

logger = structlog.get_logger(__name__)

_NEVER = ("/health", "/metrics", "/static/")
"""What monitors and pages fetch: refusing it would hide what is going on."""


class RequestLimit:
    """A token bucket per service key, user or address; 429 with Retry-After when it is empty."""

    def __init__(self, *, settings: Settings, limited: Sequence[str] = ("/",), unlimited: Sequence[str] = ()) -> None:
        self._settings = settings
        self._limited = tuple(limited)
        self._unlimited = (*_NEVER, *unlimited)

    async def __call__(self, scope: Scope, receive: Receive) -> Receive:
        """Take a token for a request, and tell its client how many are left.

        Raises:
            RateLimitError: 429.
        """
        if not self._applies(scope):
            return receive
        bucket, subject = self._bucket(scope), client_subject(HTTPConnection(scope))
        verdict = await bucket.take(subject)
        answer_with(scope, _headers(bucket, verdict))
        if not verdict.allowed:
            raise self._refusal(scope, subject, verdict)
        return receive

    def _applies(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if getattr(scope["app"].state, "resources", None) is None:
            return False  # nothing is open yet, so there is nothing to guard
        return path.startswith(self._limited) and not path.startswith(self._unlimited)

    def _bucket(self, scope: Scope) -> TokenBucket:
        state: Any = scope["app"].state
        bucket: TokenBucket | None = getattr(state, "request_bucket", None)
        if bucket is None:
            bucket = state.request_bucket = TokenBucket(
                state.resources.redis,
                state.resources.addresses.installation,
                requests_per_second=self._settings.requests_per_second,
                burst=self._settings.request_burst,
            )
        return bucket

    def _refusal(self, scope: Scope, subject: str, verdict: Verdict) -> RateLimitError:
        wait = max(1, math.ceil(verdict.retry_after_seconds))
        metrics_of(scope["app"]).rate_limit_hits.labels("requests").inc()
        logger.warning("rate limit exceeded", limit="requests", subject=subject, retry_after_seconds=wait)
        return RateLimitError(
            f"More than {self._settings.requests_per_second:g} requests a second. Try again in {wait} s.",
            retry_after_seconds=wait,
        )


def _headers(bucket: TokenBucket, verdict: Verdict) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"x-ratelimit-limit", b"%d" % bucket.limit),
        (b"x-ratelimit-remaining", b"%d" % verdict.remaining),
        (b"x-ratelimit-reset", b"%d" % math.ceil(verdict.reset_seconds)),
    )

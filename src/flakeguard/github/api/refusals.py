"""Which error an answer of GitHub is. Pure."""

from collections.abc import Mapping

from flakeguard.github.errors import (
    GitHubAwayError,
    GitHubRefusedError,
    GoneError,
    LockedError,
    NoSuchCommitError,
    RateLimitedError,
)

_WITHOUT_A_WORD_SECONDS = 60.0  # GitHub's advice where a secondary limit names no time
_LONGEST_SECONDS = 3600.0  # limits are renewed every hour: more than that is a clock that is wrong
_TEXT_CHARACTERS = 300

type Refusal = RateLimitedError | GitHubAwayError | GitHubRefusedError | GoneError

_TO_DO: Mapping[int, str] = {
    401: "check that GITHUB_APP_ID and GITHUB_PRIVATE_KEY belong together, and this machine's clock",
    403: "give the App the permission it needs, accept it in the installation, and lift a suspension",
    409: "it conflicts with what is there",
    422: "GitHub cannot process it as it is",
}


def refusal(status: int, headers: Mapping[str, str], message: str, endpoint: str, *, now: float) -> Refusal:
    """The error of an answer from 300 on. `headers` by lower-case names; `now` in seconds since 1970.

    A rate limit comes as 403 as well as 429, and only headers or words tell it from a missing permission.
    """
    said = f"{endpoint}: {status} {message[:_TEXT_CHARACTERS]}".rstrip()
    if status == 429 or (status == 403 and _is_limit(headers, message)):  # noqa: PLR2004 -- HTTP's
        return RateLimitedError(_wait_seconds(headers, now))
    if status in (404, 410, 451):
        return GoneError(f"{said}; it is gone, or the App may not see it")
    if status >= 500 or status == 408:  # noqa: PLR2004 -- HTTP's
        return GitHubAwayError(said, seconds=_number(headers.get("retry-after")))
    if status == 403 and "is locked" in message.lower():  # noqa: PLR2004 -- HTTP's
        return LockedError(said, status=status)
    if status == 422 and "no commit found" in message.lower():  # noqa: PLR2004 -- HTTP's
        return NoSuchCommitError(said, status=status)
    return GitHubRefusedError(f"{said}; {_TO_DO.get(status, 'GITHUB_API_URL may not be the API')}", status=status)


def _is_limit(headers: Mapping[str, str], message: str) -> bool:
    return (
        "retry-after" in headers
        or headers.get("x-ratelimit-remaining") == "0"
        or "rate limit" in message.lower()
        or "abuse detection" in message.lower()
    )


def _wait_seconds(headers: Mapping[str, str], now: float) -> float:
    asked = _number(headers.get("retry-after"))
    if asked is None and headers.get("x-ratelimit-remaining") == "0":
        reset = _number(headers.get("x-ratelimit-reset"))
        asked = None if reset is None else reset - now + 1  # its clock and ours are not one
    return min(max(_WITHOUT_A_WORD_SECONDS if asked is None else asked, 1.0), _LONGEST_SECONDS)


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None

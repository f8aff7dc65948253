"""Exceptions to problems: the one table that says which error is which status."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi.exceptions import RequestValidationError
from redis import exceptions as redis_errors
from starlette.exceptions import HTTPException

from fluxbase import errors

RETRY_AFTER_OUTAGE_SECONDS = 5
RETRY_AFTER_COLLISION_SECONDS = 1
RETRY_AFTER_FULL_DISK_SECONDS = 60

_STATUS_OF: tuple[tuple[type[errors.FluxbaseError], int], ...] = (
    (errors.InvalidRequestError, 400),
    (errors.NotAuthenticatedError, 401),
    (errors.PermissionDeniedError, 403),
    (errors.NotFoundError, 404),
    (errors.ConflictError, 409),
    (errors.PreconditionFailedError, 412),
    (errors.PayloadTooLargeError, 413),
    (errors.UnsupportedMediaTypeError, 415),
    (errors.RangeNotSatisfiableError, 416),
    (errors.RateLimitError, 429),
    (errors.UnavailableError, 503),
    (errors.StatementTimeoutError, 504),
    (errors.InsufficientStorageError, 507),
)
_NETWORK_ERRNOS = frozenset(
    (
        errno.ENOENT,  # a unix socket that is not there
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EPIPE,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ETIMEDOUT,
    )
)
# SQLSTATE, or its class of two characters, to (status, code, message).
_SQLSTATES: Mapping[str, tuple[int, str, str]] = {
    "23505": (409, "conflict", "It exists already."),
    "23503": (409, "conflict", "Something that this refers to does not exist, or is still referred to."),
    "23": (400, "invalid_request", "A value is not one that may be stored."),
    "22": (400, "invalid_request", "A value cannot be stored as it is."),
    "42501": (403, "permission_denied", "You may not do this."),
    "40": (503, "service_unavailable", "Two changes collided; try again."),
    "55P03": (503, "service_unavailable", "The data are locked for the moment; try again."),
    "08": (503, "service_unavailable", "The database cannot be reached; try again shortly."),
    "53100": (
        507,
        "insufficient_storage",
        "The database's disk is full. Nothing was changed; what is stored is unharmed.",
    ),
    "53": (503, "service_unavailable", "The database is overloaded; try again shortly."),
    "57": (503, "service_unavailable", "The database cannot answer now; try again shortly."),
}
_PLAINER: Mapping[int, str] = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
}
_NO_OBJECT = frozenset(("missing", "model_type", "model_attributes_type"))  # what pydantic says of a whole body
_OUTAGE = (503, "service_unavailable", "A server this one needs cannot be reached; try again shortly.")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as the client sees it. `unexpected` ones are logged with their stack and say nothing of their cause."""

    status: int
    code: str
    message: str
    request_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    details: tuple[Mapping[str, Any], ...] | str = ()
    hint: str | None = None
    unexpected: bool = False


class ProblemError(errors.FluxbaseError):
    """An error that knows how it is to be told: what a room says more exactly than the table below can."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message, code=problem.code)
        self.problem = problem


def problem_of(error: Exception, request_id: str = "") -> Problem:
    """What to tell the client about `error`."""
    if isinstance(error, HTTPException):
        # FastAPI wraps whatever happens while it reads a body; what was meant is the cause.
        cause = error.__cause__
        return _problem_of(cause if isinstance(cause, errors.FluxbaseError) else error, request_id)
    return _problem_of(error, request_id)


def _problem_of(error: Exception, request_id: str) -> Problem:
    match error:
        case errors.FluxbaseError():
            return _from_ours(error, request_id)
        case RequestValidationError():
            return _from_validation(error, request_id)
        case HTTPException():
            return _from_http(error, request_id)
        case asyncpg.PostgresError():
            return _from_sqlstate(error.sqlstate or "", request_id)
        case _ if is_outage(error):
            return _unavailable(*_OUTAGE, request_id, RETRY_AFTER_OUTAGE_SECONDS)
        case _:
            return _internal(request_id)


def is_outage(error: Exception) -> bool:
    """Whether `error` says that PostgreSQL or Redis cannot be reached or did not answer in time."""
    if isinstance(error, TimeoutError | ConnectionError | redis_errors.ConnectionError | redis_errors.TimeoutError):
        return True
    if isinstance(error, asyncpg.InternalClientError):
        return True  # the connection was cut in the middle of an answer; the pool replaces it
    if isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError):
        # Also raised for mistakes in our own code, which are no outage.
        return any(word in str(error) for word in ("clos", "was released"))
    if isinstance(error, OSError) and error.filename is None:
        # asyncio joins the failures of several addresses into one OSError that has no number.
        return error.errno in _NETWORK_ERRNOS or "Connect call failed" in str(error)
    return False


def _from_ours(error: errors.FluxbaseError, request_id: str) -> Problem:
    if isinstance(error, ProblemError):
        return replace(error.problem, request_id=request_id)
    status = next((status for kind, status in _STATUS_OF if isinstance(error, kind)), 500)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _internal(request_id)
    headers: dict[str, str] = {}
    if isinstance(error, errors.RateLimitError):
        headers["Retry-After"] = str(error.retry_after_seconds)
    elif isinstance(error, errors.UnavailableError):
        headers["Retry-After"] = str(RETRY_AFTER_OUTAGE_SECONDS)
    elif isinstance(error, errors.InsufficientStorageError):
        headers["Retry-After"] = str(RETRY_AFTER_FULL_DISK_SECONDS)
    elif isinstance(error, errors.NotAuthenticatedError):
        headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, errors.RangeNotSatisfiableError):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    return Problem(status, error.code, str(error), request_id, headers)


def _from_validation(error: RequestValidationError, request_id: str) -> Problem:
    found = error.errors()
    if any(item.get("type") == "json_invalid" for item in found):
        return Problem(400, "invalid_json", "The body is not valid JSON.", request_id)
    details = tuple({"field": _field(item["loc"]), "message": _plain(item)} for item in found)
    message = "; ".join(f"{item['field']}: {item['message']}" for item in details)
    return Problem(422, "validation_failed", message, request_id, details=details)


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[1:]) or str(location[0])


def _plain(item: Mapping[str, Any]) -> str:
    if tuple(item["loc"]) == ("body",) and item["type"] in _NO_OBJECT:
        # FastAPI hands over the bytes of a body that does not say it is JSON (curl's -d says it is a form).
        untold = item["type"] == "missing" or isinstance(item.get("input"), bytes)
        return "send a JSON object" + (", with the header Content-Type: application/json" if untold else "")
    return str(item["msg"]).removeprefix("Value error, ")


def _from_http(error: HTTPException, request_id: str) -> Problem:
    phrase = HTTPStatus(error.status_code).phrase if error.status_code in HTTPStatus else "Error"
    code = phrase.lower().replace(" ", "_").replace("-", "_").replace("'", "")
    # Starlette's own detail is only the status once more.
    message = _PLAINER.get(error.status_code, phrase) if error.detail == phrase else str(error.detail)
    return Problem(error.status_code, code, message, request_id, dict(error.headers or {}))


def _from_sqlstate(state: str, request_id: str) -> Problem:
    known = _SQLSTATES.get(state) or _SQLSTATES.get(state[:2])
    if known is None:
        return _internal(request_id)
    if known[0] == HTTPStatus.SERVICE_UNAVAILABLE:
        collision = state.startswith("40") or state == "55P03"
        return _unavailable(
            *known, request_id, RETRY_AFTER_COLLISION_SECONDS if collision else RETRY_AFTER_OUTAGE_SECONDS
        )
    if known[0] == HTTPStatus.INSUFFICIENT_STORAGE:
        return _unavailable(*known, request_id, RETRY_AFTER_FULL_DISK_SECONDS)
    return Problem(*known, request_id)


def _unavailable(status: int, code: str, message: str, request_id: str, retry_after: int) -> Problem:
    return Problem(status, code, message, request_id, {"Retry-After": str(retry_after)})


def _internal(request_id: str) -> Problem:
    message = "Something went wrong on the server. The logs have more under this request id."
    return Problem(500, "internal_error", message, request_id, unexpected=True)

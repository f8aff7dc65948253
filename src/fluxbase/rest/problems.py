"""What PostgreSQL refuses, as a response: its own words, which name the column, the constraint or the policy."""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

import asyncpg

from fluxbase.http.problem import Problem, ProblemError

_ANONYMOUS = "anon"
# SQLSTATE, or its class of two characters, to (status, code). What is not here is an outage or our own fault.
_REFUSALS: Mapping[str, tuple[int, str]] = {
    "23505": (409, "conflict"),
    "23503": (409, "conflict"),
    "23P01": (409, "conflict"),
    "23": (400, "invalid_value"),
    "22": (400, "invalid_value"),
    "44": (400, "invalid_value"),
    "21": (400, "invalid_query"),
    "0A": (400, "invalid_query"),
    "54": (400, "invalid_query"),
    "55000": (400, "invalid_query"),
    "25006": (405, "read_only"),
    "P0001": (400, "refused"),
    "42501": (403, "permission_denied"),
    "42": (400, "invalid_query"),
}
_INSTEAD = {
    "25006": "This function writes: call it by POST.",
}


def refusal_of(error: asyncpg.PostgresError, role: str) -> ProblemError | None:
    """What to tell the client about a statement that failed; None when it is not the statement's fault."""
    state = error.sqlstate or ""
    known = _REFUSALS.get(state) or _REFUSALS.get(state[:2])
    if known is None:
        return None
    status, code = known
    message = _INSTEAD.get(state) or str(getattr(error, "message", None) or error)
    told = _denial(message, role) if status == HTTPStatus.FORBIDDEN else Problem(status, code, message)
    return ProblemError(replace(told, details=error.detail or "", hint=error.hint or None))


class NotGrantedError(ProblemError):
    """What PostgreSQL would say of something that the role has no grant for, before anything else is said of it."""

    def __init__(self, what: str, role: str, *, hint: str) -> None:
        super().__init__(replace(_denial(f"permission denied for {what}", role), hint=hint))


def _denial(message: str, role: str) -> Problem:
    if role != _ANONYMOUS:
        return Problem(HTTPStatus.FORBIDDEN, "permission_denied", message)
    headers = {"WWW-Authenticate": "Bearer"}
    return Problem(HTTPStatus.UNAUTHORIZED, "not_authenticated", f"{message}; sign in first", headers=headers)

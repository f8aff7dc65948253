"""What forms share: errors that belong beside the form, and short words on what was just done."""

from starlette.requests import Request

from fluxbase.auth import InvalidCredentialsError
from fluxbase.errors import (
    ConflictError,
    FluxbaseError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from fluxbase.http.problem import problem_of

FORM_ERRORS = (
    InvalidRequestError,
    ConflictError,
    PermissionDeniedError,
    RateLimitError,
    InvalidCredentialsError,
    NotFoundError,
)
"""Errors that a form shows beside its fields; everything else is a page of its own."""

_NOTICES = {
    "account-deleted": "Your account is deleted.",
    "audit": "",
    "confirm-email": "Nearly there: open the link in the mail that is on its way to you.",
    "2fa-disabled": "Two-factor authentication is off.",
    "dismissed": "Dismissed. It is not proposed again for a while.",
    "delivery-again": "The delivery is processed again.",
    "email-confirmed": "Your address is confirmed. Sign in.",
    "github-bound": "GitHub is connected. What arrived before is being worked off.",
    "github-unbound": "The installation is disconnected.",
    "identity-connected": "The identity is connected.",
    "identity-disconnected": "The identity is disconnected.",
    "invite-accepted": "Welcome: you are a member now.",
    "invite-revoked": "The invite is revoked.",
    "job-discarded": "The job is discarded.",
    "job-retried": "What failed is tried again.",
    "quarantined": "The test is in quarantine.",
    "quarantine-ended": "The quarantine is ended. Failures of the test count again.",
    "queue-paused": "The queue is paused. What is under way is finished, what comes waits.",
    "queue-resumed": "The queue goes on.",
    "key-revoked": "The key is revoked. Requests with it are refused from now on.",
    "member-removed": "The member is removed.",
    "organization-deleted": "The organization is deleted.",
    "password-changed": "Your password is changed, and your other sessions are ended.",
    "password-set": "Your new password is set, and every session is ended. Sign in with it.",
    "project-deleted": "The project is deleted.",
    "role-changed": "The role is changed.",
    "saved": "Saved.",
    "sessions-ended": "Those sessions are ended.",
    "signed-out": "You are signed out.",
}


def status_of(error: FluxbaseError) -> int:
    """The status that a form answers `error` with."""
    return problem_of(error).status


def notice_of(request: Request) -> str | None:
    """What the page before did, told by `?notice=<code>`; unknown codes say nothing."""
    return _NOTICES.get(request.query_params.get("notice", "")) or None

"""API keys: their form (`fg_<prefix>_<secret>`), scopes and lifetimes. Pure but for randomness."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from flakeguard.projects.errors import InvalidExpiryError, InvalidScopeError
from flakeguard.projects.model import Scope
from fluxbase.service_keys.form import KeyForm, NewKey, digest, is_same

LONGEST_LIFETIME_DAYS = 3650
LONGEST_GRACE_HOURS = 168
DEFAULT_SCOPES: tuple[str, ...] = (Scope.INGEST_WRITE, Scope.RESULTS_READ)

__all__ = [
    "NewKey",
    "check_scopes",
    "digest",
    "expiry",
    "generate",
    "grace",
    "is_same",
    "prefix_of",
]

_FORM = KeyForm("fg")
generate, prefix_of = _FORM.generate, _FORM.prefix_of


def check_scopes(scopes: Sequence[str]) -> tuple[str, ...]:
    """Known scopes, each once, in the order of `Scope`.

    Raises:
        InvalidScopeError: None, or one that is not known.
    """
    known = [str(scope) for scope in Scope]
    if not scopes or any(scope not in known for scope in scopes):
        raise InvalidScopeError(f"scopes are one or more of: {', '.join(known)}.")
    return tuple(scope for scope in known if scope in scopes)


def expiry(now: datetime, expires_in_days: int | None) -> datetime | None:
    """When a key made now expires; None for never.

    Raises:
        InvalidExpiryError: Out of range.
    """
    if expires_in_days is None:
        return None
    if not 1 <= expires_in_days <= LONGEST_LIFETIME_DAYS:
        raise InvalidExpiryError(f"expires_in_days is from 1 to {LONGEST_LIFETIME_DAYS}, or absent for never.")
    return now + timedelta(days=expires_in_days)


def grace(grace_hours: int) -> timedelta:
    """How long a rotated key still works.

    Raises:
        InvalidExpiryError: Out of range.
    """
    if not 0 <= grace_hours <= LONGEST_GRACE_HOURS:
        raise InvalidExpiryError(f"grace_hours is from 0 to {LONGEST_GRACE_HOURS}.")
    return timedelta(hours=grace_hours)

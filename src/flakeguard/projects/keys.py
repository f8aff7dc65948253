"""The form of API keys, and their scopes and lifetimes. Pure but for randomness.

A key is `fg_<prefix>_<secret>`: the prefix names it in lists and logs, the secret is 238 random bits. Only the
prefix and the SHA-256 of the whole key are stored; a slow hash would guard nothing that can be guessed.
"""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flakeguard.projects.errors import InvalidExpiryError, InvalidScopeError
from flakeguard.projects.model import Scope

LONGEST_LIFETIME_DAYS = 3650
LONGEST_GRACE_HOURS = 168
DEFAULT_SCOPES: tuple[str, ...] = (Scope.INGEST_WRITE, Scope.RESULTS_READ)

_PREFIX_LENGTH, _SECRET_LENGTH = 10, 40
_PREFIX_ALPHABET = string.ascii_lowercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits
_SHAPE = re.compile(rf"(fg_[a-z0-9]{{{_PREFIX_LENGTH}}})_[A-Za-z0-9]{{{_SECRET_LENGTH}}}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: `token` for its user, `prefix` and `digest` for the database."""

    token: str
    prefix: str
    digest: bytes


def generate() -> NewKey:
    """A new key."""
    prefix = "fg_" + "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(_PREFIX_LENGTH))
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(_SECRET_LENGTH))
    token = f"{prefix}_{secret}"
    return NewKey(token, prefix, digest(token))


def prefix_of(token: str) -> str | None:
    """The prefix of what has the form of a key; None for anything else."""
    found = _SHAPE.fullmatch(token)
    return found.group(1) if found else None


def digest(token: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(token.encode("ascii", "replace")).digest()


def is_same(token: str, stored: bytes) -> bool:
    """Whether `token` is the key that `stored` was made from, in constant time."""
    return hmac.compare_digest(digest(token), stored)


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

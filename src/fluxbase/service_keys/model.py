"""A service key as the rest of the program sees it. The key itself exists only in its user's hands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fluxbase.service_keys.errors import (
    ServiceKeyDisabledError,
    ServiceKeyExpiredError,
    ServiceKeyReplacedError,
    ServiceKeyRevokedError,
)


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """A row of `auth.service_keys`, without the digest."""

    id: UUID
    name: str
    key_prefix: str
    scopes: tuple[str, ...]
    enabled: bool
    rate_limit_per_minute: int | None
    rate_limit_per_hour: int | None
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    deprecated_at: datetime | None
    grace_period_ends_at: datetime | None
    replaced_by: UUID | None
    created_at: datetime
    updated_at: datetime

    @property
    def ends_at(self) -> datetime | None:
        """When it stops working by itself: its expiry or the end of its grace period, whichever is first."""
        return min((at for at in (self.expires_at, self.grace_period_ends_at) if at is not None), default=None)

    def check_usable(self, now: datetime) -> None:
        """Refuse a key that may not be used at `now`.

        Raises:
            NotAuthenticatedError: 401, revoked, disabled, expired, or replaced and past its grace period.
        """
        if self.revoked_at is not None:
            raise ServiceKeyRevokedError
        if not self.enabled:
            raise ServiceKeyDisabledError
        if self.expires_at is not None and now >= self.expires_at:
            raise ServiceKeyExpiredError
        if self.grace_period_ends_at is not None and now >= self.grace_period_ends_at:
            raise ServiceKeyReplacedError

    def as_json(self) -> dict[str, Any]:
        """The public shape: times as ISO 8601, absent ones null."""
        return {
            "id": str(self.id),
            "name": self.name,
            "key_prefix": self.key_prefix,
            "scopes": list(self.scopes),
            "enabled": self.enabled,
            "rate_limit_per_minute": self.rate_limit_per_minute,
            "rate_limit_per_hour": self.rate_limit_per_hour,
            "last_used_at": _iso(self.last_used_at),
            "expires_at": _iso(self.expires_at),
            "revoked_at": _iso(self.revoked_at),
            "deprecated_at": _iso(self.deprecated_at),
            "grace_period_ends_at": _iso(self.grace_period_ends_at),
            "replaced_by": str(self.replaced_by) if self.replaced_by else None,
            "created_at": _iso(self.created_at),
            "updated_at": _iso(self.updated_at),
        }


@dataclass(frozen=True, slots=True)
class Revocation:
    """What ended a key, or will at the end of a grace period. `revoked_by` names the operator's credential."""

    id: int
    key_id: UUID
    kind: str
    reason: str | None
    revoked_by: str
    grace_period_ends_at: datetime | None
    created_at: datetime

    def as_json(self) -> dict[str, Any]:
        """The public shape."""
        return {
            "id": self.id,
            "key_id": str(self.key_id),
            "kind": self.kind,
            "reason": self.reason,
            "revoked_by": self.revoked_by,
            "grace_period_ends_at": _iso(self.grace_period_ends_at),
            "created_at": _iso(self.created_at),
        }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None

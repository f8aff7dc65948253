"""Accounts and sessions as the rest of the program sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from fluxbase.db import Claims


@dataclass(frozen=True, slots=True)
class User:
    """An account. `session_id` is the session it was found by, None when it was not found by one."""

    id: UUID
    email: str
    created_at: datetime
    last_sign_in_at: datetime | None = None
    user_metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    app_metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    session_id: UUID | None = None

    @property
    def claims(self) -> Claims:
        """What the policies of the database are told of this user."""
        return Claims("authenticated", sub=str(self.id), extra={"email": self.email})

    def as_json(self) -> dict[str, Any]:
        """The public shape of a user in Fluxbase's API."""
        return {
            "id": str(self.id),
            "email": self.email,
            "role": "authenticated",
            "user_metadata": self.user_metadata,
            "app_metadata": self.app_metadata,
            "created_at": self.created_at.isoformat(),
            "last_sign_in_at": self.last_sign_in_at.isoformat() if self.last_sign_in_at else None,
        }

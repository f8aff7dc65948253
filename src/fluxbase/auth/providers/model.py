"""Providers, and what they say of a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider is. `keys` and `issuer` are those of OpenID Connect; GitHub has none."""

    authorize: str
    token: str
    user: str
    issuer: str | None = None
    keys: str | None = None
    algorithms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider as it is configured."""

    name: str
    client_id: str
    client_secret: str
    scope: str
    issuer: str | None

    @property
    def title(self) -> str:
        """How a button calls it."""
        return {"github": "GitHub", "google": "Google"}.get(self.name, self.name.replace("_", " ").title())


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a provider vouches for. `provider_id` never changes; the address may, and counts only when verified."""

    provider: str
    provider_id: str
    email: str | None
    email_verified: bool
    name: str | None = None

    @property
    def data(self) -> Mapping[str, Any]:
        """What is kept of it."""
        return {"email": self.email, "email_verified": self.email_verified, "name": self.name}


@dataclass(frozen=True, slots=True)
class Identity:
    """A person at a provider, connected to an account."""

    id: UUID
    provider: str
    email: str | None
    created_at: datetime
    last_sign_in_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """The public shape."""
        return {
            "id": str(self.id),
            "provider": self.provider,
            "email": self.email,
            "created_at": self.created_at.isoformat(),
            "last_sign_in_at": self.last_sign_in_at.isoformat() if self.last_sign_in_at else None,
        }

"""Accounts and sessions as the rest of the program sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from fluxbase.db import Claims


@dataclass(frozen=True, slots=True)
class Proof:
    """How somebody showed who they are.

    Attributes:
        methods: What the claim `amr` lists: password, otp, magiclink, oauth, totp, recovery_code.
        second_factor: Whether a second factor was among them (`aal2`).
        identity_id: The identity at a provider that vouched, if one did; the session ends with it.
    """

    methods: Sequence[str]
    second_factor: bool = False
    identity_id: UUID | None = None

    @property
    def aal(self) -> str:
        """The authenticator assurance level, as the claim says it."""
        return "aal2" if self.second_factor else "aal1"


@dataclass(frozen=True, slots=True)
class User:
    """An account, and the session that it was found by: its id, how it was opened, and when. None without one."""

    id: UUID
    email: str
    created_at: datetime
    last_sign_in_at: datetime | None = None
    email_confirmed_at: datetime | None = None
    user_metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    app_metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    session_id: UUID | None = None
    proof: Proof | None = None
    session_opened_at: datetime | None = None

    @property
    def claims(self) -> Claims:
        """What the policies of the database are told of this user."""
        return claims_of(self)

    def as_json(self) -> dict[str, Any]:
        """The public shape of a user in Fluxbase's API."""
        return {
            "id": str(self.id),
            "email": self.email,
            "role": "authenticated",
            "user_metadata": self.user_metadata,
            "app_metadata": self.app_metadata,
            "email_confirmed_at": _iso(self.email_confirmed_at),
            "created_at": self.created_at.isoformat(),
            "last_sign_in_at": _iso(self.last_sign_in_at),
        }


def claims_of(user: User) -> Claims:
    """What the policies are told, the same by whatever the session came: cookie, access token or signed address."""
    extra: dict[str, Any] = {
        "aud": "authenticated",
        "email": user.email,
        "user_metadata": dict(user.user_metadata),
        "app_metadata": dict(user.app_metadata),
    }
    if user.session_id is not None:
        extra["session_id"] = str(user.session_id)
    if user.proof is not None:
        extra |= {"aal": user.proof.aal, "amr": list(user.proof.methods)}
    return Claims("authenticated", str(user.id), extra, user.session_id)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from, for sessions and the audit trail."""

    ip: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was just opened or refreshed; its tokens exist here and in the client's hands only.

    Attributes:
        user: Whose it is.
        token: The browser's, opaque, as long-lived as the session; None when it was refreshed.
        expires_in_seconds: Until the session ends.
        access_token: The JWT of every other client.
        access_expires_in_seconds: Until that expires.
        refresh_token: Good once, for the next access token.
    """

    user: User
    token: str | None
    expires_in_seconds: int
    access_token: str
    access_expires_in_seconds: int
    refresh_token: str


@dataclass(frozen=True, slots=True)
class SecondStep:
    """The first factor was right and a second one is asked for: `challenge` with its code opens the session."""

    challenge: str
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class ConfirmationNeeded:
    """The account is made, or was there already: a mail says which. Nobody is signed in."""

    email: str


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in of a user."""

    id: UUID
    user_agent: str | None
    ip: str | None
    aal: str
    amr: Sequence[str]
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    def as_json(self, current: UUID | None) -> dict[str, Any]:
        """The public shape; `current` is the session that asks."""
        return {
            "id": str(self.id),
            "user_agent": self.user_agent,
            "ip": self.ip,
            "aal": self.aal,
            "amr": list(self.amr),
            "created_at": self.created_at.isoformat(),
            "last_used_at": self.last_used_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "current": self.id == current,
        }

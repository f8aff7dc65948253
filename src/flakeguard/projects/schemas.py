"""Bodies of requests and shapes of answers. What a value may be is decided by the services, once for API and pages."""

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, Field

from flakeguard.projects import keys
from flakeguard.projects.model import ApiKey, Invite

_LONGEST = 1024


class NewOrganization(BaseModel):
    """Without a slug one is made from the name."""

    name: str = Field(max_length=_LONGEST)
    slug: str | None = Field(None, max_length=_LONGEST)


class OrganizationPatch(BaseModel):
    """What is absent stays."""

    name: str | None = Field(None, max_length=_LONGEST)
    slug: str | None = Field(None, max_length=_LONGEST)


class NewProject(BaseModel):
    """Without a slug one is made from the name."""

    name: str = Field(max_length=_LONGEST)
    slug: str | None = Field(None, max_length=_LONGEST)
    default_branch: str = Field("main", max_length=_LONGEST)


class ProjectPatch(BaseModel):
    """What is absent stays."""

    name: str | None = Field(None, max_length=_LONGEST)
    slug: str | None = Field(None, max_length=_LONGEST)
    default_branch: str | None = Field(None, max_length=_LONGEST)


class RoleBody(BaseModel):
    """OWNER, ADMIN, MEMBER or VIEWER."""

    role: str = Field(max_length=_LONGEST)


class NewInvite(BaseModel):
    """ADMIN, MEMBER or VIEWER."""

    email: str = Field(max_length=_LONGEST)
    role: str = Field("MEMBER", max_length=_LONGEST)


class InviteToken(BaseModel):
    """The token of an invite's link."""

    token: str = Field(max_length=_LONGEST)


class NewApiKey(BaseModel):
    """Without scopes the key may upload and read; without `expires_in_days` it does not expire."""

    name: str = Field(max_length=_LONGEST)
    scopes: list[str] = Field(default_factory=lambda: list(keys.DEFAULT_SCOPES), max_length=20)
    expires_in_days: int | None = None


class Rotation(BaseModel):
    """For how many hours the old key still works; 0 revokes it at once."""

    grace_hours: int = 0


def invite_json(invite: Invite) -> dict[str, Any]:
    """As it stands in answers."""
    return asdict(invite)


def key_json(key: ApiKey, token: str | None = None) -> dict[str, Any]:
    """As it stands in answers; `token` only in the one that made the key."""
    return asdict(key) | ({"token": token} if token is not None else {})

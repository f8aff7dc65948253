"""Organisations, members, invites, projects, keys and audit events as the rest of the program sees them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from flakeguard.projects.errors import InsufficientScopeError
from fluxbase.db import Claims


class Role(StrEnum):
    """What a member may do: OWNER and ADMIN change things, MEMBER and VIEWER read."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    MEMBER = "MEMBER"
    VIEWER = "VIEWER"


class Scope(StrEnum):
    """What a project's API key may do."""

    INGEST_WRITE = "ingest:write"
    """Upload reports, and ask what became of them."""
    RESULTS_READ = "results:read"
    """Read the project's verdicts, runs and explanations."""


@dataclass(frozen=True, slots=True)
class Organization:
    """`role` is that of the user who asked."""

    id: int
    name: str
    slug: str
    created_at: datetime
    role: Role


@dataclass(frozen=True, slots=True)
class Member:
    """A user in an organisation."""

    user_id: UUID
    email: str
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Invite:
    """An invitation by e-mail address, good for one acceptance. Its token is shown once and not kept."""

    id: int
    organization_id: int
    organization_name: str
    email: str
    role: Role
    invited_by: UUID | None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Project:
    """`role` is that of the user who asked; None when an API key asked."""

    id: int
    organization_id: int
    organization_slug: str
    name: str
    slug: str
    default_branch: str
    created_at: datetime
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed: `prefix` (`fg_1a2b3c4d5e`) names it, the secret is not kept."""

    id: int
    project_id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_by: UUID | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def is_usable(self, now: datetime) -> bool:
        """Whether a request with this key would be let in at `now`."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


@dataclass(frozen=True, slots=True)
class ProjectKey:
    """A key that authenticated a request, and the project it is for."""

    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    project: Project

    @property
    def project_id(self) -> int:
        """The project the key is for."""
        return self.project.id

    @property
    def organization_id(self) -> int:
        """The organisation of that project."""
        return self.project.organization_id

    @property
    def project_slug(self) -> str:
        """The slug of that project."""
        return self.project.slug

    @property
    def default_branch(self) -> str:
        """The default branch of that project."""
        return self.project.default_branch

    @property
    def claims(self) -> Claims:
        """What the policies of the database are told: this key reads its own project and nothing else."""
        return Claims("authenticated", extra={"project_id": self.project.id, "api_key_id": self.id})

    def require(self, scope: str) -> None:
        """Raise unless the key has `scope`.

        Raises:
            InsufficientScopeError: 403.
        """
        if scope not in self.scopes:
            raise InsufficientScopeError(f"The API key {self.prefix} lacks the scope {scope}.")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Who did what, when."""

    id: int
    action: str
    actor_id: UUID | None
    actor_email: str | None
    project_id: int | None
    metadata: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of the audit trail, newest first; `total` counts all that fit the filters."""

    events: tuple[AuditEvent, ...]
    total: int
    limit: int
    offset: int

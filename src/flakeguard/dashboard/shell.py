"""What stands around every page of somebody who is signed in: where they are, and where they can go."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from flakeguard.dashboard import repository
from flakeguard.dashboard.model import OrganizationPlace
from flakeguard.projects.access import Action, may, require_project
from flakeguard.projects.model import Project, Role
from fluxbase.auth import User
from fluxbase.db import Connection, Database
from fluxbase.errors import NotFoundError

_LARGEST_INTEGER = 2**31 - 1
_LARGEST_BIGINT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Shell:
    """The frame: the user, their places, the one they are in, and its chosen tab (`section`)."""

    user: User
    places: tuple[OrganizationPlace, ...]
    at: datetime
    organization: OrganizationPlace | None = None
    project: Project | None = None
    section: str = ""

    @property
    def may_manage(self) -> bool:
        """Whether the user may change what they look at."""
        role = self.project.role if self.project else self.organization.role if self.organization else None
        return role in {Role.OWNER, Role.ADMIN}

    @property
    def may_decide(self) -> bool:
        """Whether the user may decide on quarantine in the project they look at."""
        return self.project is not None and self.project.role is not None and may(self.project.role, Action.DECIDE)

    @property
    def live_url(self) -> str | None:
        """The event stream of what the page shows; it knows how old the page is. None for what does not change."""
        if self.project:
            place = f"/projects/{self.project.id}"
        elif self.organization and self.section == "projects":
            place = f"/orgs/{self.organization.slug}"
        elif self.section == "home":
            place = ""
        else:
            return None
        return f"{place}/events?seen={self.at.timestamp():.3f}"


@asynccontextmanager
async def reading(request: Request, user: User) -> AsyncGenerator[Connection]:
    """The page's one transaction, as the user."""
    database: Database = request.app.state.resources.database
    async with database.transaction(user.claims) as connection:
        yield connection


async def plain_shell(request: Request, connection: Connection, user: User, section: str = "") -> Shell:
    """The frame of a page that belongs to no project."""
    now = request.app.state.resources.now()
    return Shell(user, await repository.places(connection, user.id), now, section=section)


async def organization_shell(request: Request, connection: Connection, user: User, slug: str, section: str) -> Shell:
    """The frame of an organization's page.

    Raises:
        NotFoundError: There is none, or the user is no member.
    """
    now, places = request.app.state.resources.now(), await repository.places(connection, user.id)
    here = next((place for place in places if place.slug == slug), None)
    if here is None:
        raise NotFoundError("There is no such organization, or you are not a member of it.")
    return Shell(user, places, now, organization=here, section=section)


async def project_shell(request: Request, connection: Connection, user: User, project_id: int, section: str) -> Shell:
    """The frame of a project's page.

    Raises:
        NotFoundError: There is no such project, or the user is not a member of its organization.
    """
    now = request.app.state.resources.now()
    project = await require_project(connection, user, storable_bigint(project_id))
    places = await repository.places(connection, user.id)
    here = next((place for place in places if place.id == project.organization_id), None)
    return Shell(user, places, now, organization=here, project=project, section=section)


def storable_bigint(identifier: int) -> int:
    """`identifier`, when a bigint can hold it; a longer number in an address names nothing."""
    if identifier > _LARGEST_BIGINT:
        raise NotFoundError
    return identifier


def storable_integer(identifier: int) -> int:
    """`identifier`, when an integer can hold it."""
    if identifier > _LARGEST_INTEGER:
        raise NotFoundError
    return identifier

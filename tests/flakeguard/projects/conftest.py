import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from flakeguard.projects import organizations, projects
from flakeguard.projects.model import Project
from fluxbase.auth import User, passwords, signing_up
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.model import Client
from fluxbase.monitoring import Metrics, configure_logging
from fluxbase.ratelimit import RateLimiter

from .serving import PASSWORD, Person, app_on


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch):
    """bcrypt at its cheapest: what is tested here is not how long it takes."""
    monkeypatch.setattr(passwords, "ROUNDS", 4)
    configure_logging()


@pytest.fixture
def app(settings, resources):
    return app_on(settings, resources)


@pytest.fixture
def person(app, settings, resources) -> Callable[[str], Awaitable[Person]]:
    """Sign somebody up by name."""

    async def sign_up(name: str) -> Person:
        accounts = Accounts(resources, settings, RateLimiter(resources.redis, "test", Metrics()), Metrics())
        signed_in = await signing_up.sign_up(accounts, email=f"{name}@example.com", password=PASSWORD, client=Client())
        return Person(app, signed_in.user, signed_in.access_token)

    return sign_up


@dataclasses.dataclass
class Tenant:
    """An organisation with one project and a person of each role."""

    owner: Person
    admin: Person
    member: Person
    viewer: Person
    slug: str
    id: int
    project: Project

    def by_role(self) -> dict[str, Person]:
        return {"OWNER": self.owner, "ADMIN": self.admin, "MEMBER": self.member, "VIEWER": self.viewer}


@pytest.fixture
def tenant(person, resources, owner) -> Callable[[str], Awaitable[Tenant]]:
    """Make a tenant by name."""

    async def make(name: str) -> Tenant:
        people = {role: await person(f"{role}-of-{name}") for role in ("owner", "admin", "member", "viewer")}
        boss: User = people["owner"].user
        made = await organizations.create(resources.database, boss, name=name, slug=name)
        project = await projects.create(resources.database, boss, name, name="Shop", slug="shop")
        for role in ("admin", "member", "viewer"):
            await owner.execute(
                "INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, $3)",
                made.id,
                people[role].user.id,
                role.upper(),
            )
        return Tenant(**people, slug=name, id=made.id, project=project)

    return make

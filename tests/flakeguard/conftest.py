"""A project with a key, and the real application beside a real worker."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from flakeguard.app import create_app
from flakeguard.projects import api_keys, organizations, projects
from flakeguard.projects.model import ApiKey, Project
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.runner import running_worker
from fluxbase.auth import User, passwords
from fluxbase.resources import Addresses, Resources

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Tenant:
    """Somebody with a project and a key for it."""

    user: User
    session: str
    cookie: str
    project: Project
    key: ApiKey
    token: str

    @property
    def as_key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def as_user(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.session}"}

    @property
    def as_browser(self) -> dict[str, str]:
        return {"Cookie": f"fluxbase_session={self.cookie}", "Accept": "text/html"}


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """bcrypt at its cheapest: what is tested here is not how long it takes."""
    monkeypatch.setattr(passwords, "ROUNDS", 4)


@pytest.fixture
async def app(settings: FlakeGuardSettings, addresses: Addresses) -> AsyncIterator[FastAPI]:
    app = create_app(settings, addresses)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", timeout=30) as opened:
        yield opened


@pytest.fixture
async def worker(resources: Resources, settings: FlakeGuardSettings) -> AsyncIterator[None]:
    """A real worker on the real queues, in this process."""
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        yield


async def make_tenant(client: httpx.AsyncClient, resources: Resources, name: str) -> Tenant:
    """Sign up, found an organisation, make a project and a key."""
    answer = await client.post("/api/v1/auth/signup", json={"email": f"{name}@example.com", "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    cookie = client.cookies["fluxbase_session"]
    client.cookies.clear()
    session = answer.json()["access_token"]
    async with resources.database.transaction() as connection:
        row = await connection.fetchrow("SELECT * FROM auth.users WHERE email = $1", f"{name}@example.com")
        session_id = await connection.fetchval("SELECT id FROM auth.sessions WHERE user_id = $1", row["id"])
    user = User(row["id"], row["email"], {}, {}, row["created_at"], row["last_sign_in_at"], session_id)
    organization = await organizations.create(resources.database, user, name=name.title())
    project = await projects.create(resources.database, user, organization.slug, name="Shop", slug=f"{name}-shop")
    key, token = await api_keys.create(resources.database, user, project.id, name="CI")
    return Tenant(user, session, cookie, project, key, token)


@pytest.fixture
async def tenant(client: httpx.AsyncClient, resources: Resources) -> Tenant:
    return await make_tenant(client, resources, "ada")


@pytest.fixture
async def stranger(client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> Tenant:
    """Another tenant of the same installation."""
    return await make_tenant(client, resources, "mallory") if tenant else None

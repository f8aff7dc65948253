"""A seeded project, made once, and a stranger's organization beside it."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from flakeguard.projects import organizations, projects
from flakeguard.projects.model import Project
from fluxbase.auth import Client, User, accounts_of
from fluxbase.auth.signing_up import sign_up
from fluxbase.resources import Resources

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Person:
    user: User
    session: str

    @property
    def cookies(self) -> dict[str, str]:
        return {"fluxbase_session": self.session}


def load_seeding() -> Any:
    spec = importlib.util.spec_from_file_location("dashboard_seeding", Path(__file__).with_name("seeding.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def people(app: FastAPI) -> dict[str, Person]:
    """Ada, who owns a project, and Mallory, who owns another organization."""

    class Request:
        """As much of a request as the accounts need."""

    request: Any = Request()
    request.app = app
    found: dict[str, Person] = {}
    for name in ("ada", "mallory"):
        signed_in = await sign_up(
            accounts_of(request), email=f"{name}@example.com", password=PASSWORD, client=Client("127.0.0.1", name)
        )
        await organizations.create(app.state.resources.database, signed_in.user, name=f"{name} inc")
        found[name] = Person(signed_in.user, signed_in.token)
    return found


@pytest.fixture
async def project(resources: Resources, people: dict[str, Person]) -> Project:
    """Ada's project, without runs."""
    return await projects.create(resources.database, people["ada"].user, "ada-inc", name="Shop", slug="shop")


@pytest.fixture
async def seeded(resources: Resources, project: Project) -> Any:
    """Three days of runs in Ada's project."""
    seeding = load_seeding()
    return await seeding.seed_project(resources.database, project.id, seeding.fixed_now(), days=3, runs_a_day=3)


@pytest.fixture
async def ada(client: httpx.AsyncClient, people: dict[str, Person]) -> httpx.AsyncClient:
    """Ada's browser."""
    client.cookies.update(people["ada"].cookies)
    client.headers["accept"] = "text/html"
    return client

"""An application whose objects lie in a folder of the test's own, two tenants, and an operator."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from flakeguard.settings import FlakeGuardSettings
from fluxbase.auth import access_tokens
from fluxbase.embedded import EmbeddedServers
from fluxbase.resources import Addresses, Resources, open_resources

from ...conftest import cloned_database, empty_redis, settings_of_a_clone
from ..serving import PASSWORD, bearer, client_for, make_app

STORAGE = "/api/v1/storage"


_WIPE = """
DELETE FROM storage.objects; DELETE FROM storage.buckets; DELETE FROM storage.blobs;
DELETE FROM auth.users; DELETE FROM auth.service_keys;
"""


@pytest.fixture(scope="module")
async def database_of_the_module(
    servers: EmbeddedServers, worker_id: str, request: pytest.FixtureRequest
) -> AsyncIterator[Addresses]:
    """Cloning takes longer than most tests of this room, so those of one module share a clone."""
    async with cloned_database(servers, f"{request.module.__name__.rpartition('.')[2]}_{os.getpid()}", worker_id) as it:
        yield it


@pytest.fixture
async def addresses(database_of_the_module: Addresses) -> Addresses:
    """The module's database, without the rows of the test before. What a test changes in the schema stays."""
    connection = await asyncpg.connect(database_of_the_module.owner_dsn)
    await connection.execute(_WIPE)
    await connection.close()
    await empty_redis(database_of_the_module.redis_url)
    return database_of_the_module


@pytest.fixture(scope="module")
async def app_of_the_module(database_of_the_module: Addresses) -> AsyncIterator[FastAPI]:
    """FastAPI puts the routes of an application together at its first request, which takes a tenth of a second."""
    async with open_resources(database_of_the_module, application_name="tests", max_connections=8) as opened:
        with pytest.MonkeyPatch.context() as patch:
            yield make_app(settings_of_a_clone(patch), opened)


@pytest.fixture
def resources(app_of_the_module: FastAPI, addresses: Addresses) -> Resources:
    """The module's, on a database that is empty."""
    return app_of_the_module.state.resources


@pytest.fixture
def app(app_of_the_module: FastAPI, resources: Resources, settings: FlakeGuardSettings, folder: Path) -> FastAPI:
    """The module's, with a store that is the test's own."""
    use_store(app_of_the_module, settings.model_copy(update={"storage_local_path": folder}))
    return app_of_the_module


def use_store(app: FastAPI, settings: FlakeGuardSettings) -> None:
    """Let `app` store where `settings` say from now on."""
    app.state.settings, app.state.blobs = settings, None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
async def operator(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a token of the service role."""
    resources: Resources = app.state.resources
    token = access_tokens.issue_for_role(
        resources.addresses.secret, "service_role", now=resources.now(), lifetime=timedelta(hours=1)
    )
    async with client_for(app, headers={"Authorization": f"Bearer {token}"}) as opened:
        yield opened


async def _signed_up(app: FastAPI, email: str) -> dict:
    async with client_for(app) as opened:
        answer = await opened.post("/api/v1/auth/signup", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
async def alice(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    signed_in = await _signed_up(app, "alice@example.com")
    async with client_for(app, headers=bearer(signed_in)) as opened:
        yield opened


@pytest.fixture
async def bob(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    signed_in = await _signed_up(app, "bob@example.com")
    async with client_for(app, headers=bearer(signed_in)) as opened:
        yield opened


@pytest.fixture
async def anybody(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_for(app) as opened:
        yield opened


@pytest.fixture
async def private(operator: httpx.AsyncClient) -> str:
    """The address of a private bucket that takes uploads of users."""
    answer = await operator.post(f"{STORAGE}/buckets", json={"id": "private", "user_uploads": True})
    assert answer.status_code == 201, answer.text
    return f"{STORAGE}/private"


@pytest.fixture
async def public(operator: httpx.AsyncClient) -> str:
    """The address of a public bucket that takes uploads of users."""
    answer = await operator.post(f"{STORAGE}/buckets", json={"id": "public", "public": True, "user_uploads": True})
    assert answer.status_code == 201, answer.text
    return f"{STORAGE}/public"


def blobs_in(folder: Path) -> list[Path]:
    """Every file in the store, those of interrupted uploads too."""
    return [path for path in folder.rglob("*") if path.is_file()]

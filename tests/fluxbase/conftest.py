from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from flakeguard.settings import FlakeGuardSettings
from fluxbase.auth import passwords
from fluxbase.monitoring import configure_logging
from fluxbase.resources import Resources

from .serving import PASSWORD, client_for, make_app


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """bcrypt at its cheapest: what is tested here is not how long it takes."""
    monkeypatch.setattr(passwords, "ROUNDS", 4)


@pytest.fixture(autouse=True)
def production_logs() -> None:
    """Logs as the roles write them; structlog's default draws every local variable of a stack, passwords too."""
    configure_logging()


@pytest.fixture
def app(settings: FlakeGuardSettings, resources: Resources, tmp_path: Path) -> FastAPI:
    return make_app(settings.model_copy(update={"storage_local_path": tmp_path / "storage"}), resources)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_for(app) as opened:
        yield opened


@pytest.fixture
async def ada(client: httpx.AsyncClient) -> dict:
    """The body of a sign-up. The client's cookies are emptied: what it sends is the test's to say."""
    answer = await client.post("/api/v1/auth/signup", json={"email": "ada@example.com", "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    client.cookies.clear()
    return answer.json()

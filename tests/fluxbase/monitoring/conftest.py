from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from fluxbase.app import create_app
from fluxbase.resources import Addresses

from ..serving import client_for


@pytest.fixture
async def whole(settings, addresses: Addresses, tmp_path) -> AsyncIterator[FastAPI]:
    """Fluxbase as `fluxbase serve` runs it, with everything that runs beside the routes."""
    values = {"pprof_enabled": True, "home": tmp_path, "database_max_connections": 8, "jobs_in_process": True}
    app = create_app(settings.model_copy(update=values), addresses)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def here(whole: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody on the same machine."""
    async with client_for(whole, peer=("127.0.0.1", 4711)) as client:
        yield client

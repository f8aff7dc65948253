"""An application of Fluxbase alone, and clients that speak to it in-process."""

import httpx
from fastapi import FastAPI

from flakeguard.settings import FlakeGuardSettings
from fluxbase import http
from fluxbase.app import body_limits, include_backend
from fluxbase.monitoring import monitoring_router
from fluxbase.monitoring.watching import watch_statements
from fluxbase.resources import Resources

PASSWORD = "correct horse battery"


def make_app(settings: FlakeGuardSettings, resources: Resources | None, **options) -> FastAPI:
    app = http.Application()
    app.state.settings = settings
    app.state.resources = resources
    options.setdefault("body_limits", body_limits(settings))
    http.install(app, settings=settings, envelope_prefixes=("/api/v1/orgs",), **options)
    include_backend(app)
    if resources is not None:
        watch_statements(app)
    app.include_router(monitoring_router())
    return app


def client_for(app: FastAPI, *, peer=("192.0.2.7", 4711), **options) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=peer)
    return httpx.AsyncClient(transport=transport, base_url="http://testserver", **options)


def bearer(signed_in: dict) -> dict[str, str]:
    return {"Authorization": f"Bearer {signed_in['access_token']}"}

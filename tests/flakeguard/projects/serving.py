"""FlakeGuard's API without its other rooms, and people in organisations to call it."""

from dataclasses import dataclass

import httpx
from fastapi import FastAPI

from flakeguard.projects.accounts import HOOKS
from flakeguard.projects.routes import router
from fluxbase import http
from fluxbase.auth import User
from fluxbase.auth.routes import router as auth_router

PASSWORD = "correct horse battery"
ROLES = ("OWNER", "ADMIN", "MEMBER", "VIEWER")
_APPS: dict[str, FastAPI] = {}


def app_on(settings, resources) -> FastAPI:
    """One application for all tests (FastAPI takes a while to prepare its routes), on this test's servers."""
    app = _APPS.get(repr(settings)) or _APPS.setdefault(repr(settings), _make_app(settings))
    app.state.settings, app.state.resources, app.state.rate_limiter = settings, resources, None
    return app


def _make_app(settings) -> FastAPI:
    app = http.Application()
    app.state.account_hooks = HOOKS
    http.install(app, settings=settings, envelope_prefixes=("/api/v1/orgs", "/api/v1/projects"))
    app.include_router(auth_router)
    app.include_router(router)
    return app


def client_for(app: FastAPI, **options) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://testserver", **options)


@dataclass(frozen=True)
class Person:
    """Somebody with a session, who calls the API as the API is called: by bearer token."""

    app: FastAPI
    user: User
    token: str

    async def ask(self, method: str, path: str, **options) -> httpx.Response:
        async with client_for(self.app, headers={"Authorization": f"Bearer {self.token}"}) as client:
            return await client.request(method, f"/api/v1{path}", **options)

    async def get(self, path: str, **options) -> httpx.Response:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: dict | None = None, **options) -> httpx.Response:
        return await self.ask("POST", path, json=body or {}, **options)


def data(answer: httpx.Response, status: int = 200):
    """What a successful answer holds, in its envelope."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"request_id", "data"}
    assert body["request_id"] == answer.headers["x-request-id"]
    return body["data"]


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, in its envelope."""
    body = answer.json()
    assert set(body) == {"error"}, body
    assert body["error"]["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, body["error"]["code"]

"""The way past the router answers as the router's own does: same bodies, same headers, same errors."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from fluxbase.monitoring.metrics import metrics_of
from fluxbase.rest import routes
from fluxbase.rest.routes import Shortcut

from ..serving import client_for
from .conftest import User

_OWN = {"x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset"}
ASKED = (
    ("GET", "/api/v1/tables/todos", {}),
    ("HEAD", "/api/v1/tables/public/todos", {}),
    ("GET", "/api/v1/tables/todos?title=eq.a&count=exact", {}),
    ("GET", "/api/v1/tables/public/todos/1", {}),
    ("GET", "/api/v1/tables/public/todos/1%2F2", {}),
    ("GET", "/api/v1/tables/public/todos/1%0A2", {}),
    ("GET", "/api/v1/tables/public/todos/", {}),
    ("GET", "/api/v1/tables/todos/", {}),
    ("GET", "/api/v1/tables//todos", {}),
    ("GET", "/api/v1/tables", {}),
    ("PUT", "/api/v1/tables/todos", {"content": b"{}"}),
    ("OPTIONS", "/api/v1/tables/todos", {}),
    ("PATCH", "/api/v1/tables/public/todos/1", {"content": b"{"}),
    ("POST", "/api/v1/tables/todos", {"content": b"[" + b" " * 1_500_000 + b"]"}),
    ("GET", "/api/v1/tables/nothing", {}),
    ("GET", "/api/v1/rpc/add?a=1", {}),
    ("POST", "/api/v1/rpc/public/add", {"json": {"a": 1, "b": 2}}),
    ("GET", "/api/v1/rpc/public/add/more", {}),
    ("DELETE", "/api/v1/rpc/add", {}),
)


@pytest.fixture
async def anonymous(app: FastAPI, tables: None) -> AsyncIterator[httpx.AsyncClient]:
    async with client_for(app) as client:
        yield client


def told(answer: httpx.Response, identifier: str) -> tuple:
    assert answer.headers["x-request-id"] == identifier
    assert answer.headers["x-content-type-options"] == "nosniff"
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in _OWN)
    assert set(answer.headers) >= _OWN
    return answer.status_code, headers, answer.content


@pytest.mark.parametrize("who", ["alice", "anonymous"])
async def test_both_ways_answer_the_same(
    app: FastAPI, alice: User, anonymous: httpx.AsyncClient, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alice.has("a")
    client = alice.client if who == "alice" else anonymous

    async def answers() -> list[tuple]:
        return [
            told(await client.request(method, path, headers={"X-Request-ID": "same"}, **more), "same")
            for method, path, more in ASKED
        ]

    shorter = await answers()
    monkeypatch.setattr(app, "shortcut", None)
    assert await answers() == shorter
    assert {status for status, *_ in shorter} >= {200, 400, 404, 405}


async def test_both_ways_count_under_the_routes_template(app: FastAPI, alice: User, monkeypatch) -> None:
    def counted() -> float:
        labels = {"method": "GET", "path": "/api/v1/tables/{schema}/{table}/{id:path}", "status": "404"}
        return metrics_of(app).registry.get_sample_value("fluxbase_http_requests_total", labels) or 0

    await alice.client.get("/api/v1/tables/public/todos/1")
    assert counted() == 1
    monkeypatch.setattr(app, "shortcut", None)
    await alice.client.get("/api/v1/tables/public/todos/1")
    assert counted() == 2


async def test_a_cookie_needs_its_token_on_the_short_way_too(app: FastAPI, alice: User) -> None:
    async with client_for(app) as browser:
        signed_in = await browser.post(
            "/api/v1/auth/signin", json={"email": "alice@example.com", "password": "correct horse battery"}
        )
        assert signed_in.status_code == 200
        assert browser.cookies
        answer = await browser.post("/api/v1/tables/todos", json={"title": "x"})
    assert (answer.status_code, answer.json()["code"]) == (403, "CSRF_FAILED")


async def test_every_route_of_the_room_has_a_short_way() -> None:
    short = Shortcut()
    for route in routes.routes():
        path = route.path.replace("{id:path}", "7").replace("{", "").replace("}", "")
        found = short.find({"path": path, "method": "GET", "type": "http"})
        assert (found.path if found else None) == (None if path == "/api/v1/tables" else route.path)

"""Body limits, security headers, the access log."""

import io
import json

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse

from fluxbase.monitoring import configure_logging

from ..serving import client_for, make_app

OWN = {"Cache-Control": "max-age=60", "Content-Security-Policy": "sandbox", "X-Frame-Options": "SAMEORIGIN"}


@pytest.fixture
def app(settings):
    app = make_app(
        settings.model_copy(update={"body_limit_bytes": 2048}), None, body_limits={"/upload": 8192, "/upload/small": 10}
    )

    async def size(request: Request):
        return {"size": len(await request.body())}

    async def typed(body: dict):
        return {"size": len(body)}

    for path in ("/echo", "/upload", "/upload/small"):
        app.add_api_route(path, size, methods=["POST"])
    app.add_api_route("/api/v1/orgs", typed, methods=["POST"])
    app.add_api_route("/page", lambda: HTMLResponse("<p>A page"), methods=["GET"])
    app.add_api_route("/api/own", lambda: HTMLResponse("", headers=OWN), methods=["GET"])
    return app


async def chunks(size: int):
    for _ in range(size // 512):
        yield b"x" * 512


@pytest.mark.parametrize(("path", "limit"), [("/echo", 2048), ("/upload", 8192), ("/upload/small", 10)])
async def test_a_body_has_the_limit_of_its_path(app, path, limit):
    async with client_for(app) as client:
        assert (await client.post(path, content=b"x" * limit)).json() == {"size": limit}
        declared = await client.post(path, content=b"x" * (limit + 1))
        counted = await client.post(path, content=chunks(limit + 512))
    for answer in (declared, counted):
        assert answer.status_code == 413
        assert answer.json()["error"] == "payload_too_large"
        assert str(limit) in answer.json()["message"]


async def test_a_typed_body_that_is_too_large_is_413_too(app):
    """FastAPI reads it, and says 400 to whatever happens while it reads."""
    async with client_for(app) as client:
        answer = await client.post("/api/v1/orgs", content=chunks(4096), headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "payload_too_large"
        broken = await client.post("/api/v1/orgs", content=b"{", headers={"content-type": "application/json"})
        assert (broken.status_code, broken.json()["error"]["code"]) == (400, "invalid_json")


async def test_a_length_that_is_no_number_is_refused(app):
    async with client_for(app) as client:
        answer = await client.post("/echo", content=b"x", headers={"content-length": "1e3"})
        assert answer.status_code == 400


async def test_pages_may_do_nothing_but_their_own(app):
    async with client_for(app) as client:
        found = (await client.get("/page")).headers
    policy = found["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "same-origin"
    assert "strict-transport-security" not in found


async def test_data_opened_as_a_page_may_do_nothing_at_all(app):
    async with client_for(app) as client:
        data = (await client.get("/health/live")).headers
        missing = (await client.get("/nowhere")).headers
    for found in (data, missing):
        assert found["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert found["x-content-type-options"] == "nosniff"
        assert "strict-transport-security" not in found


async def test_hsts_only_where_the_public_address_is_https(settings):
    secure = make_app(settings.model_copy(update={"public_url": "https://flakes.example.com"}), None)
    async with client_for(secure) as client:
        assert "max-age" in (await client.get("/health/live")).headers["strict-transport-security"]


async def test_answers_of_the_api_are_not_kept_by_caches(app):
    async with client_for(app) as client:
        assert (await client.get("/api/v1/nowhere")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("header", "value", "shown"),
    [
        ("X-Service-Key", "fb_1a2b3c4d_verysecretverysecret", "X-Service-Key fb_1a2b3c4d"),
        ("Authorization", "Bearer fb_1a2b3c4d_verysecretverysecret", "X-Service-Key fb_1a2b3c4d (Authorization)"),
        ("Authorization", "Bearer fg_1a2b3c4d5e_" + "s" * 40, "Authorization fg_1a2b3c4d5e"),
        ("Authorization", "Bearer fbs_" + "s" * 43, "Authorization"),
        ("Authorization", "Basic c2VjcmV0c2VjcmV0", "Authorization"),
        ("apikey", "secretsecretsecret", "apikey"),
    ],
)
async def test_the_access_log_names_the_credential_and_not_the_secret(app, header, value, shown):
    stream = io.StringIO()
    configure_logging(stream=stream)
    async with client_for(app, headers={"X-Request-ID": "r1", "User-Agent": "curl/8"}) as client:
        await client.post("/echo?token=topsecretvalue", content=b"x", headers={header: value})
    logged = [json.loads(line) for line in stream.getvalue().splitlines()]
    event = next(item for item in logged if item["msg"] == "request")
    assert event["credential"] == shown
    assert {key: event[key] for key in ("method", "path", "status", "client", "requestId", "userAgent")} == {
        "method": "POST",
        "path": "/echo",
        "status": 200,
        "client": "192.0.2.7",
        "requestId": "r1",
        "userAgent": "curl/8",
    }
    assert event["durationMs"] >= 0
    for secret in ("verysecret", "ssssssss", "c2VjcmV0", "secretsecret", "topsecretvalue"):
        assert secret not in stream.getvalue()


async def test_health_checks_do_not_fill_the_log(app):
    stream = io.StringIO()
    configure_logging(stream=stream)
    async with client_for(app) as client:
        await client.get("/health/live")
    assert stream.getvalue() == ""


async def test_what_a_handler_sets_is_not_said_twice(app):
    async with client_for(app) as client:
        headers = (await client.get("/api/own")).headers
    assert {name: headers.get_list(name) for name in OWN} == {name: [value] for name, value in OWN.items()}
    assert headers.get_list("X-Content-Type-Options") == ["nosniff"]

"""A cookie alone changes nothing: origin and token, unless a key or bearer token speaks for the request."""

import pytest
from starlette.requests import Request

from fluxbase.http import csrf_token

from ..serving import PASSWORD, client_for

OUR = {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def browser(app):
    """Signed in by cookie, with a page that holds a form."""

    async def change(request: Request):
        return dict(await request.form())

    async def page(request: Request):
        return {"token": csrf_token(request)}

    app.add_api_route("/change", change, methods=["POST", "PUT", "PATCH", "DELETE"])
    app.add_api_route("/page", page)
    async with client_for(app) as client:
        await client.post("/api/v1/auth/signup", json={"email": "ada@example.com", "password": PASSWORD})
        client.token = (await client.get("/page")).json()["token"]
        yield client


async def test_a_form_or_a_header_with_the_token_from_our_own_page(browser):
    by_field = await browser.post("/change", data={"csrf_token": browser.token, "name": "x"}, headers=OUR)
    assert by_field.status_code == 200
    assert by_field.json() == {"csrf_token": browser.token, "name": "x"}  # the route still reads the whole form
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        by_header = await browser.request(method, "/change", headers=OUR | {"X-CSRF-Token": browser.token})
        assert by_header.status_code == 200, method
    assert (await browser.post("/change", headers={"X-CSRF-Token": browser.token})).status_code == 200


async def test_everything_else_is_refused(browser):
    good = {"X-CSRF-Token": browser.token}
    for headers in (
        OUR,
        OUR | {"X-CSRF-Token": ""},
        OUR | {"X-CSRF-Token": "0" * 64},
        OUR | {"X-CSRF-Token": "\u00e9".encode()},
        good | {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        good | {"Origin": "https://evil.example"},
        good | {"Origin": "http://testserver.evil.example"},
        good | {"Origin": "null"},
        good | {"Origin": "http://["},
        good | {"Origin": "http://"},
        good | {"Sec-Fetch-Site": "cross-site"},
        good | {"Sec-Fetch-Site": "same-site"},
    ):
        answer = await browser.post("/change", headers=headers)
        assert answer.status_code == 403, headers
        assert answer.json()["error"] == "csrf_failed"
    wrong_field = await browser.post("/change", data={"csrf_token": "wrong"}, headers=OUR)
    assert wrong_field.status_code == 403


async def test_the_token_is_bound_to_the_session(app, browser):
    async with client_for(app) as other:
        signed_up = await other.post("/api/v1/auth/signup", json={"email": "eve@example.com", "password": PASSWORD})
        stolen = await other.post("/change", headers=OUR | {"X-CSRF-Token": browser.token})
        own = await other.post("/change", headers=OUR | {"X-CSRF-Token": signed_up.json()["csrf_token"]})
    assert (stolen.status_code, own.status_code) == (403, 200)


async def test_a_bearer_token_is_enough(browser):
    signed_in = await browser.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": PASSWORD})
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}", "Origin": "https://elsewhere.example"}
    assert (await browser.post("/change", headers=headers)).status_code == 200


async def test_an_empty_bearer_does_not_smuggle_the_cookie_past(app, browser):
    """What exempts from the check must also decide who asks: beside Authorization, the cookie counts nothing."""
    answer = await browser.patch("/api/v1/auth/user", json={"user_metadata": {}}, headers={"Authorization": "Bearer "})
    assert answer.status_code == 401


async def test_other_carriers_do_not_either(browser):
    for carrier in ("X-Service-Key", "apikey", "X-Client-Key"):
        answer = await browser.patch("/api/v1/auth/user", json={"user_metadata": {}}, headers={carrier: "x"})
        assert answer.json()["error"] == "csrf_failed", carrier


async def test_signing_in_needs_our_origin_and_no_token(app, browser):
    body = {"email": "ada@example.com", "password": PASSWORD}
    assert (await browser.post("/api/v1/auth/signin", json=body, headers=OUR)).status_code == 200
    from_elsewhere = await browser.post("/api/v1/auth/signin", json=body, headers={"Origin": "https://evil.example"})
    assert from_elsewhere.status_code == 403


async def test_reading_needs_nothing(browser):
    answer = await browser.get("/page", headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200


async def test_strangers_have_no_token(app, browser):
    async with client_for(app) as stranger:
        assert (await stranger.get("/page")).json() == {"token": ""}


async def test_a_form_is_not_collected_without_end_for_a_cookie_that_anybody_can_make_up(browser):
    form = {"Content-Type": "application/x-www-form-urlencoded"} | OUR
    many = await browser.post("/change", content=b"a=b&" * 1_000, headers=form)
    assert many.status_code == 403
    large = await browser.post("/change", content=b"a=" + b"b" * 100_000, headers=form)
    assert large.status_code == 413
    assert "x-csrf-token" in large.json()["message"]

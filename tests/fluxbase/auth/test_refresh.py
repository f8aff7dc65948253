"""Refresh tokens: good once; a replay ends the session, but for clients that race within moments."""

import asyncio
from datetime import timedelta

import pytest

from fluxbase.auth import access_tokens

from ..serving import PASSWORD, bearer

SECRET = "a secret for tests only, long enough for HS256"


async def refresh(client, token):
    return await client.post("/api/v1/auth/refresh", json={"refresh_token": token})


@pytest.fixture
async def past_grace(owner):
    """Let the last refresh be longer ago than clients race."""

    async def move() -> None:
        await owner.execute("UPDATE auth.sessions SET refreshed_at = refreshed_at - interval '11 seconds'")

    return move


async def test_each_use_answers_the_next_pair(client, ada, owner):
    answer = await refresh(client, ada["refresh_token"])
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"user", "access_token", "token_type", "expires_in", "refresh_token"}
    assert body["refresh_token"] != ada["refresh_token"]
    assert "set-cookie" not in answer.headers
    before, after = (access_tokens.verify(SECRET, pair["access_token"]) for pair in (ada, body))
    assert (after["session_id"], after["sub"]) == (before["session_id"], before["sub"])
    assert after["jti"] != before["jti"]
    assert (await client.get("/api/v1/auth/user", headers=bearer(body))).status_code == 200
    assert (await refresh(client, body["refresh_token"])).status_code == 200
    stored = str(await owner.fetch("SELECT * FROM auth.refresh_tokens"))
    assert ada["refresh_token"] not in stored
    assert body["refresh_token"] not in stored


async def test_a_replayed_token_ends_the_family(client, ada, owner, past_grace):
    following = (await refresh(client, ada["refresh_token"])).json()
    await past_grace()
    replayed = await refresh(client, ada["refresh_token"])
    assert replayed.status_code == 401
    assert replayed.json()["code"] == "REFRESH_TOKEN_REUSED"
    assert (await refresh(client, following["refresh_token"])).json()["code"] == "INVALID_REFRESH_TOKEN"
    for pair in (ada, following):
        assert (await client.get("/api/v1/auth/user", headers=bearer(pair))).status_code == 401
    assert await owner.fetchval("SELECT count(*) FROM auth.sessions") == 0
    audit = await owner.fetchrow("SELECT * FROM auth.audit_log_entries WHERE action = 'auth.refresh_reused'")
    assert str(audit["actor_id"]) == ada["user"]["id"]


async def test_a_replay_ends_no_other_session(client, ada, past_grace):
    other = (await client.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": PASSWORD})).json()
    client.cookies.clear()
    await refresh(client, ada["refresh_token"])
    await past_grace()
    await refresh(client, ada["refresh_token"])
    assert (await client.get("/api/v1/auth/user", headers=bearer(other))).status_code == 200


async def test_two_tabs_may_refresh_at_once(client, ada):
    answers = await asyncio.gather(*(refresh(client, ada["refresh_token"]) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.json()["refresh_token"] for answer in answers}) == 4


async def test_of_two_that_raced_the_second_to_go_on_is_found_out(client, ada, past_grace):
    """A thief within the grace gets a token, and one of the two is noticed at the next refresh."""
    owners, thiefs = [(await refresh(client, ada["refresh_token"])).json() for _ in range(2)]
    assert (await refresh(client, thiefs["refresh_token"])).status_code == 200
    await past_grace()
    assert (await refresh(client, owners["refresh_token"])).json()["code"] == "REFRESH_TOKEN_REUSED"


async def test_the_grace_is_for_the_last_token_only(client, ada):
    second = (await refresh(client, ada["refresh_token"])).json()
    await refresh(client, second["refresh_token"])
    assert (await refresh(client, ada["refresh_token"])).json()["code"] == "REFRESH_TOKEN_REUSED"


@pytest.mark.parametrize("token", ["", "nonsense", "fbr_" + "x" * 43, "\0"])
async def test_what_is_no_token_is_refused(client, ada, token):
    answer = await refresh(client, token)
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_REFRESH_TOKEN")


@pytest.mark.parametrize("table", ["auth.refresh_tokens", "auth.sessions"])
async def test_an_expired_one_is_refused(client, ada, owner, table):
    await owner.execute(f"UPDATE {table} SET expires_at = now() - interval '1 second'")
    assert (await refresh(client, ada["refresh_token"])).json()["code"] == "INVALID_REFRESH_TOKEN"


async def test_a_session_that_an_operator_made_last_for_ever(client, ada, owner):
    await owner.execute("UPDATE auth.sessions SET expires_at = 'infinity'")
    assert (await refresh(client, ada["refresh_token"])).status_code == 200


async def test_it_ends_with_its_session_at_once(client, ada, owner):
    await owner.execute("DELETE FROM auth.sessions")
    assert (await refresh(client, ada["refresh_token"])).status_code == 401


async def test_it_lasts_as_long_as_the_setting_and_never_longer_than_its_session(app, client, ada, owner):
    lifetimes = "SELECT expires_at - created_at FROM auth.refresh_tokens ORDER BY created_at DESC LIMIT 1"
    assert await owner.fetchval(lifetimes) == timedelta(days=7)
    app.state.settings = app.state.settings.model_copy(update={"refresh_expiry": timedelta(days=90)})
    await refresh(client, ada["refresh_token"])
    assert timedelta(days=29) < await owner.fetchval(lifetimes) <= timedelta(days=30)


async def test_a_cookie_stands_not_in_its_way(client, ada):
    """A page that holds both sends no CSRF token here, because the cookie counts nothing here."""
    await client.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": PASSWORD})
    assert client.cookies
    assert (await refresh(client, ada["refresh_token"])).status_code == 200


async def test_claims_say_how_the_session_was_opened(client, ada):
    claims = access_tokens.verify(SECRET, ada["access_token"])
    assert {"iss", "aud", "sub", "email", "role", "session_id", "jti", "user_metadata", "app_metadata"} <= set(claims)
    assert (claims["iss"], claims["aud"], claims["role"]) == ("fluxbase", "authenticated", "authenticated")
    assert (claims["aal"], claims["amr"]) == ("aal1", ["password"])
    assert claims["exp"] - claims["iat"] == 15 * 60


async def test_new_metadata_is_in_the_next_access_token(client, ada, owner):
    await owner.execute("""UPDATE auth.users SET app_metadata = '{"plan": "team"}'""")
    claims = access_tokens.verify(SECRET, (await refresh(client, ada["refresh_token"])).json()["access_token"])
    assert claims["app_metadata"] == {"plan": "team"}


async def test_app_metadata_is_not_the_users_to_set(client, ada, owner):
    evil = {
        "app_metadata": {"plan": "team"},
        "user_metadata": {"app_metadata": {"plan": "team"}},
        "role": "service_role",
    }
    await client.patch("/api/v1/auth/user", headers=bearer(ada), json=evil)
    await client.post("/api/v1/auth/signup", json={"email": "eve@example.com", "password": PASSWORD, **evil})
    assert await owner.fetch("SELECT FROM auth.users WHERE app_metadata <> '{}'") == []

"""Sessions: by bearer and by cookie, ended by sign-out, by SQL, by a password change, by time."""

from datetime import timedelta

import pytest

from fluxbase.resources import utc_now

from ..serving import PASSWORD, bearer, client_for

USER = "/api/v1/auth/user"


async def who(client, token) -> int:
    return (await client.get(USER, headers={"Authorization": f"Bearer {token}"})).status_code


async def test_nobody_is_nobody(client):
    answer = await client.get(USER)
    assert answer.status_code == 401
    assert answer.json()["error"] == "not_authenticated"
    assert answer.headers["www-authenticate"] == "Bearer"
    for header in ("Bearer ", "Bearer nonsense", "Basic YTpi", "bearer", "Bearer \u00e9"):
        assert (await client.get(USER, headers={"Authorization": header.encode()})).status_code == 401


async def test_the_token_is_stored_as_a_digest_only(client, ada, owner):
    row = await owner.fetchrow("SELECT * FROM auth.sessions")
    assert ada["access_token"] not in str(dict(row))
    assert len(row["token_hash"]) == 32
    assert row["user_agent"].startswith("python-httpx/")


async def test_deleting_sessions_by_sql_ends_access_at_once(client, ada, owner):
    assert await who(client, ada["access_token"]) == 200
    await owner.execute("DELETE FROM auth.sessions WHERE user_id = $1::text::uuid", ada["user"]["id"])
    assert await who(client, ada["access_token"]) == 401


async def test_an_expired_session_is_none(client, ada, owner):
    await owner.execute("UPDATE auth.sessions SET expires_at = now()")
    assert await who(client, ada["access_token"]) == 401


async def test_use_is_noted_at_most_once_a_minute(client, ada, owner):
    before = await owner.fetchval("SELECT last_used_at FROM auth.sessions")
    assert await who(client, ada["access_token"]) == 200
    assert await owner.fetchval("SELECT last_used_at FROM auth.sessions") == before
    await owner.execute("UPDATE auth.sessions SET last_used_at = $1", utc_now() - timedelta(seconds=61))
    assert await who(client, ada["access_token"]) == 200
    assert await owner.fetchval("SELECT last_used_at FROM auth.sessions") >= before


async def test_signing_out_ends_the_session_and_the_cookie(client, ada, owner):
    for path in ("signout", "logout"):
        signed_in = (
            await client.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": PASSWORD})
        ).json()
        client.cookies.clear()
        answer = await client.post(f"/api/v1/auth/{path}", headers=bearer(signed_in))
        assert answer.status_code == 204
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert await who(client, signed_in["access_token"]) == 401
    assert (await client.post("/api/v1/auth/signout")).status_code == 204
    assert await who(client, ada["access_token"]) == 200  # the other session lives on


async def test_the_cookie_signs_in_and_no_script_reads_it(client):
    answer = await client.post("/api/v1/auth/signup", json={"email": "ada@example.com", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("fluxbase_session=fbs_")
    for part in ("HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={30 * 24 * 3600}"):
        assert part in cookie
    assert "Secure" not in cookie  # the public address of these tests is http
    assert (await client.get(USER)).status_code == 200


async def test_behind_https_the_cookie_is_bound_to_the_host(app, settings):
    app.state.settings = settings.model_copy(update={"public_url": "https://flakes.example.com"})
    async with client_for(app) as browser:
        answer = await browser.post("/api/v1/auth/signup", json={"email": "ada@example.com", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-fluxbase_session=")
    assert "Secure" in cookie
    assert "Domain" not in cookie


async def test_a_bearer_token_wins_over_a_cookie(client, ada):
    await client.post("/api/v1/auth/signup", json={"email": "eve@example.com", "password": PASSWORD})
    assert (await client.get(USER)).json()["email"] == "eve@example.com"
    assert (await client.get(USER, headers=bearer(ada))).json()["email"] == "ada@example.com"
    assert (await client.get(USER, headers={"Authorization": "Bearer wrong"})).status_code == 401


async def test_a_new_password_ends_every_other_session(client, ada, owner):
    other = (await client.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": PASSWORD})).json()
    client.cookies.clear()
    new = "a quite different one"

    async def change(**body):
        return await client.patch(USER, headers=bearer(ada), json=body)

    assert (await change(password=new)).status_code == 403
    assert (await change(password=new, current_password="wrong")).json()["error"] == "wrong_password"
    assert (await change(password="short", current_password=PASSWORD)).status_code == 400
    assert await who(client, other["access_token"]) == 200
    assert (await change(password=new, current_password=PASSWORD)).status_code == 200
    assert await who(client, other["access_token"]) == 401
    assert await who(client, ada["access_token"]) == 200
    signed_in = await client.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": new})
    assert signed_in.status_code == 200
    actions = [row["action"] for row in await owner.fetch("SELECT action FROM auth.audit_log_entries ORDER BY id")]
    assert "user.password_changed" in actions


async def test_metadata_is_the_users_to_change(client, ada):
    answer = await client.patch(USER, headers=bearer(ada), json={"user_metadata": {"name": "Ada L."}})
    assert answer.json()["user_metadata"] == {"name": "Ada L."}
    assert (await client.get(USER, headers=bearer(ada))).json()["user_metadata"] == {"name": "Ada L."}


@pytest.mark.parametrize(("metadata", "said"), [({"x": "y" * 16400}, "16384"), ({"x": "a\0b"}, "NUL")])
async def test_metadata_that_no_token_could_carry_is_refused(client, ada, owner, metadata, said):
    body = {"user_metadata": metadata, "password": "a quite different one", "current_password": PASSWORD}
    changed = await client.patch("/api/v1/auth/user", headers=bearer(ada), json=body)
    body = {"email": "ben@example.com", "password": PASSWORD, "user_metadata": metadata}
    made = await client.post("/api/v1/auth/signup", json=body)
    for answer in (changed, made):
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_METADATA")
        assert said in answer.json()["message"]
    assert await owner.fetchval("SELECT count(*) FROM auth.users") == 1
    sign_in = {"email": "ada@example.com", "password": PASSWORD}
    assert (await client.post("/api/v1/auth/signin", json=sign_in)).status_code == 200  # nothing was changed


async def test_an_account_is_deleted_by_its_password_only(client, ada, owner):
    wrong = await client.request("DELETE", USER, headers=bearer(ada), json={"password": "wrong"})
    assert wrong.status_code == 403
    gone = await client.request("DELETE", USER, headers=bearer(ada), json={"password": PASSWORD})
    assert gone.status_code == 204
    assert await who(client, ada["access_token"]) == 401
    assert await owner.fetchval("SELECT count(*) FROM auth.users") == 0
    assert await owner.fetchval("SELECT count(*) FROM auth.sessions") == 0
    last = await owner.fetchrow("SELECT * FROM auth.audit_log_entries ORDER BY id DESC LIMIT 1")
    assert (last["action"], str(last["actor_id"])) == ("user.deleted", ada["user"]["id"])


async def test_a_stolen_session_is_no_way_to_try_passwords(client, ada):
    for _ in range(10):
        await client.request("DELETE", USER, headers=bearer(ada), json={"password": "wrong"})
    answer = await client.request("DELETE", USER, headers=bearer(ada), json={"password": PASSWORD})
    assert answer.status_code == 429

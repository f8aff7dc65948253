"""Signing in by a provider."""

from urllib.parse import parse_qs, urlsplit

import pytest

from fluxbase.auth import access_tokens
from fluxbase.settings import SignupPolicy

from ...serving import PASSWORD, bearer, client_for
from .travelling import AUTH, confirmed_ada, consent, leave, sign_in

SECRET = "a secret for tests only, long enough for HS256"


async def test_a_new_person_gets_an_account(client, owner):
    answer = await sign_in(client)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["user"]["email"] == "ada@example.com"
    assert body["user"]["email_confirmed_at"] is not None
    assert body["user"]["user_metadata"] == {"name": "Ada"}
    assert access_tokens.verify(SECRET, body["access_token"])["amr"] == ["oauth"]
    identities = (await client.get(f"{AUTH}/identities", headers=bearer(body))).json()
    assert [(one["provider"], one["email"]) for one in identities] == [("oidc", "ada@example.com")]
    client.cookies.clear()
    again = (await sign_in(client)).json()
    assert again["user"]["id"] == body["user"]["id"]
    assert await owner.fetchval("SELECT count(*) FROM auth.users") == 1
    assert await owner.fetchval("SELECT count(*) FROM auth.oauth_states") == 0


async def test_what_leaves_with_the_browser(client, owner):
    url = await leave(client)
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert query["redirect_uri"] == f"http://testserver{AUTH}/oauth/oidc/callback"
    assert (query["code_challenge_method"], query["response_type"]) == ("S256", "code")
    assert len(query["code_challenge"]) == 43
    assert len(query["nonce"]) == len(query["state"]) == 43
    stored = str(await owner.fetch("SELECT * FROM auth.oauth_states"))
    assert not any(query[name] in stored for name in ("state", "nonce"))
    assert client.cookies.get("fluxbase_oauth") not in stored


async def test_only_the_browser_that_left_comes_back_and_once(app, client):
    back = await consent(await leave(client), "ada")
    async with client_for(app) as other:
        assert (await other.get(back)).json()["code"] == "INVALID_STATE"
        await leave(other)
        assert (await other.get(back)).json()["code"] == "INVALID_STATE"
    assert (await client.get(back.replace("state=", "state=x"))).json()["code"] == "INVALID_STATE"
    cookie = client.cookies.get("fluxbase_oauth")
    assert (await client.get(back)).status_code == 200
    client.cookies.set("fluxbase_oauth", cookie)
    assert (await client.get(back)).json()["code"] == "INVALID_STATE"


async def test_a_state_expires(client, owner):
    back = await consent(await leave(client), "ada")
    await owner.execute("UPDATE auth.oauth_states SET expires_at = now()")
    assert (await client.get(back)).json()["code"] == "INVALID_STATE"


async def test_a_code_of_another_sign_in_is_refused(client, app):
    """Its id token has another nonce."""
    theirs = parse_qs(urlsplit(await consent(await leave(client), "ada")).query)["code"][0]
    client.cookies.clear()
    back = await consent(await leave(client), "ada")
    mine = parse_qs(urlsplit(back).query)["code"][0]
    answer = await client.get(back.replace(mine, theirs))
    assert (answer.status_code, answer.json()["code"]) == (401, "PROVIDER_REFUSED")


async def test_a_made_up_code_and_a_refusal_are_refused(client):
    for query in ("code=made-up", "error=access_denied"):
        state = parse_qs(urlsplit(await leave(client)).query)["state"][0]
        answer = await client.get(f"{AUTH}/oauth/oidc/callback?state={state}&{query}")
        assert (answer.status_code, answer.json()["code"]) == (401, "PROVIDER_REFUSED")


async def test_a_confirmed_account_is_connected_by_its_verified_address(client, owner):
    ada = await confirmed_ada(client, owner)
    assert (await sign_in(client)).json()["user"]["id"] == ada["user"]["id"]


async def test_never_to_an_account_whose_address_nobody_confirmed(client, ada, owner):
    answer = await sign_in(client)
    assert (answer.status_code, answer.json()["code"]) == (409, "ACCOUNT_UNCONFIRMED")
    assert await owner.fetchval("SELECT count(*) FROM auth.identities") == 0


@pytest.mark.parametrize("sub", ["eve", "nobody"])
async def test_never_without_the_provider_vouching_for_the_address(client, owner, sub):
    await confirmed_ada(client, owner)
    answer = await sign_in(client, sub)
    assert (answer.status_code, answer.json()["code"]) == (403, "PROVIDER_EMAIL_UNVERIFIED")
    assert await owner.fetchval("SELECT count(*) FROM auth.identities") == 0


@pytest.mark.parametrize("policy", [SignupPolicy.CLOSED, SignupPolicy.INVITED])
async def test_the_sign_up_policy_holds(app, client, owner, policy):
    app.state.settings = app.state.settings.model_copy(update={"signup_policy": policy})
    await client.post(f"{AUTH}/signup", json={"email": "zoe@example.com", "password": PASSWORD})
    client.cookies.clear()
    answer = await sign_in(client)
    assert (answer.status_code, answer.json()["code"]) == (403, "SIGNUP_REFUSED")
    assert await owner.fetchval("SELECT count(*) FROM auth.users") == 1


async def test_two_people_of_one_address_are_one_account(client):
    first = (await sign_in(client)).json()
    client.cookies.clear()
    assert (await sign_in(client, "ada-too")).json()["user"]["id"] == first["user"]["id"]


async def test_deleting_identities_by_sql_takes_them_away_at_once(client, owner):
    ada = await confirmed_ada(client, owner)
    by_provider = (await sign_in(client)).json()
    client.cookies.clear()
    await owner.execute("DELETE FROM auth.identities WHERE user_id = $1::text::uuid", ada["user"]["id"])
    assert (await client.get(f"{AUTH}/user", headers=bearer(by_provider))).status_code == 401
    assert (await client.get(f"{AUTH}/user", headers=bearer(ada))).status_code == 200  # came by password
    answer = await sign_in(client)
    assert (answer.status_code, answer.json()["code"]) == (403, "IDENTITY_REVOKED")
    await owner.execute("DELETE FROM auth.users")
    assert (await sign_in(client)).status_code == 200  # whoever has no account any more is new


async def test_back_to_a_page_of_ours_with_the_cookie(client):
    answer = await sign_in(client, redirect_to="/projects?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/projects?x=1")
    assert (await client.get(f"{AUTH}/user")).json()["email"] == "ada@example.com"


async def test_back_to_another_origin_with_a_code_that_is_good_once(client):
    answer = await sign_in(client, redirect_to="https://app.example.com/back")
    assert answer.headers["location"].startswith("https://app.example.com/back?code=fbo_")
    assert "fluxbase_session" not in answer.headers.get("set-cookie", "")
    code = answer.headers["location"].partition("code=")[2]
    exchanged = await client.post(f"{AUTH}/oauth/exchange", json={"code": code})
    assert exchanged.json()["user"]["email"] == "ada@example.com"
    client.cookies.clear()
    assert (await client.post(f"{AUTH}/oauth/exchange", json={"code": code})).json()["code"] == "INVALID_CODE"


async def test_nowhere_else(client):
    for target in ("https://evil.example.com", "//evil.example.com", "/\\evil.example.com", "https://testserver@evil"):
        answer = await client.get(f"{AUTH}/oauth/oidc/authorize", params={"redirect_to": target})
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REDIRECT"), target


async def test_what_goes_wrong_is_told_to_the_page(client, ada):
    answer = await sign_in(client, redirect_to="/signin")
    assert answer.headers["location"] == "/signin?error=account_unconfirmed"


async def test_the_second_factor_is_asked_for_too(client, owner):
    import pyotp

    ada = await confirmed_ada(client, owner)
    begun = (await client.post(f"{AUTH}/2fa/setup", headers=bearer(ada), json={"password": PASSWORD})).json()
    totp = pyotp.TOTP(begun["secret"])
    await client.post(f"{AUTH}/2fa/enable", headers=bearer(ada), json={"code": totp.now()})
    first = await sign_in(client)
    assert first.json()["requires_2fa"] is True
    await owner.execute("UPDATE auth.totp_factors SET last_step = 0")
    body = {"challenge": first.json()["challenge"], "code": totp.now()}
    second = (await client.post(f"{AUTH}/2fa/verify", json=body)).json()
    assert access_tokens.verify(SECRET, second["access_token"])["amr"] == ["oauth", "totp"]
    client.cookies.clear()
    await owner.execute("DELETE FROM auth.identities")
    assert (await client.get(f"{AUTH}/user", headers=bearer(second))).status_code == 401


async def test_unknown_providers_and_those_that_are_away(client):
    assert (await client.get(f"{AUTH}/oauth/nothing/authorize")).json()["code"] == "UNKNOWN_PROVIDER"
    away = await client.get(f"{AUTH}/oauth/gone/authorize")
    assert (away.status_code, away.json()["code"]) == (503, "PROVIDER_UNAVAILABLE")
    assert [one["name"] for one in (await client.get(f"{AUTH}/oauth/providers")).json()] == ["oidc", "github", "gone"]


@pytest.mark.parametrize(
    ("keys", "id_token"), [([], "a.b.c"), ({"keys": 1}, "a.b.c"), (None, "a.b.c"), ({}, "a.b.c"), ("keys", None)]
)
async def test_a_provider_that_answers_nonsense_is_no_error_of_ours(client, monkeypatch, keys, id_token):
    from fluxbase.auth.providers import client as speaking

    back, real = await consent(await leave(client), "ada"), speaking.ProviderClient._get

    async def answered(self, url, **named):
        return keys if "jwks" in url and keys != "keys" else await real(self, url, **named)

    async def exchanged(self, *_args, **_named):
        return {"access_token": "x", "token_type": "bearer", "id_token": id_token}

    monkeypatch.setattr(speaking.ProviderClient, "_get", answered)
    monkeypatch.setattr(speaking.AsyncOAuth2Client, "fetch_token", exchanged)
    answer = await client.get(back)
    assert (answer.status_code, answer.json()["code"]) == (401, "PROVIDER_REFUSED")


async def test_it_is_counted(client):
    await sign_in(client)
    state = parse_qs(urlsplit(await leave(client)).query)["state"][0]
    await client.get(f"{AUTH}/oauth/oidc/callback?state={state}&code=made-up")
    metrics = (await client.get("/metrics")).text
    assert 'fluxbase_auth_attempts_total{method="oauth"} 2.0' in metrics
    assert 'fluxbase_auth_success_total{method="oauth"} 1.0' in metrics
    assert 'fluxbase_auth_failure_total{method="oauth",reason="provider_refused"} 1.0' in metrics

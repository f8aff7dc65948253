"""What a stolen session of an account without a password cannot do: take the account over, or away."""

import pyotp
import pytest

from fluxbase.settings import OAuthProvider

from ..serving import PASSWORD, bearer

AUTH = "/api/v1/auth"
MINE = "a password of the thief"


@pytest.fixture
async def stolen(app, client, ada, owner) -> dict:
    """Headers of a session that was opened eleven minutes ago, of an account without a password."""
    app.state.settings = app.state.settings.model_copy(
        update={
            "signin_attempts_per_minute": 1000,
            "oauth_providers": {"github": OAuthProvider(client_id="us", client_secret="ours")},
        }
    )
    client.cookies.clear()
    await owner.execute("UPDATE auth.users SET encrypted_password = NULL")
    await owner.execute("UPDATE auth.sessions SET created_at = now() - interval '11 minutes'")
    return bearer(ada)


def attempts(client, headers, **proof):
    def send(method, path, **body):
        return client.request(method, f"{AUTH}/{path}", json=body | proof, headers=headers)

    return {
        "set the first password": lambda: send("PATCH", "user", password=MINE, current_password=MINE),
        "delete the account": lambda: send("DELETE", "user", password=MINE),
    }


async def test_it_neither_sets_a_password_nor_deletes_nor_enrols_nor_connects(client, stolen, owner):
    others = {
        "enrol": lambda: client.post(f"{AUTH}/2fa/setup", json={"password": MINE}, headers=stolen),
        "connect": lambda: client.post(f"{AUTH}/identities/github", json={}, headers=stolen),
    }
    for what, attempt in (attempts(client, stolen) | others).items():
        answer = await attempt()
        assert (answer.status_code, answer.json()["code"]) == (403, "SIGN_IN_AGAIN"), what
        assert "Sign in again" in answer.json()["message"]
    assert await owner.fetchval("SELECT count(*) FROM auth.users WHERE encrypted_password IS NULL") == 1


async def test_refreshing_makes_it_no_younger(client, stolen, ada):
    fresh = (await client.post(f"{AUTH}/refresh", json={"refresh_token": ada["refresh_token"]})).json()
    answer = await client.patch(f"{AUTH}/user", json={"password": MINE}, headers=bearer(fresh))
    assert answer.json()["code"] == "SIGN_IN_AGAIN"


async def test_who_signed_in_a_moment_ago_sets_the_first_password(client, stolen, owner):
    await owner.execute("UPDATE auth.sessions SET created_at = now() - interval '9 minutes'")
    answer = await client.patch(f"{AUTH}/user", json={"password": PASSWORD}, headers=stolen)
    assert answer.status_code == 200
    again = await client.patch(f"{AUTH}/user", json={"password": MINE}, headers=stolen)
    assert again.json()["code"] == "WRONG_PASSWORD"


@pytest.fixture
async def phone(client, stolen, owner) -> pyotp.TOTP:
    """The account's authenticator."""
    await owner.execute("UPDATE auth.sessions SET created_at = now()")
    begun = (await client.post(f"{AUTH}/2fa/setup", json={}, headers=stolen)).json()
    totp = pyotp.TOTP(begun["secret"])
    enabled = await client.post(f"{AUTH}/2fa/enable", json={"code": totp.now()}, headers=stolen)
    assert enabled.status_code == 200, enabled.text
    await owner.execute("UPDATE auth.totp_factors SET last_step = 0")
    return totp


async def test_with_a_second_factor_a_code_is_asked_for_however_young_the_session(client, stolen, phone, owner):
    for proof in ({}, {"code": "000000"}):
        for what, attempt in attempts(client, stolen, **proof).items():
            answer = await attempt()
            assert (answer.status_code, answer.json()["code"]) == (403, "INVALID_2FA_CODE"), what
    body = {"password": PASSWORD, "code": phone.now()}
    assert (await client.patch(f"{AUTH}/user", json=body, headers=stolen)).status_code == 200


async def test_an_enrolment_that_was_left_lying_is_nobody_elses_to_finish(client, stolen, owner):
    await owner.execute("UPDATE auth.sessions SET created_at = now()")
    begun = (await client.post(f"{AUTH}/2fa/setup", json={}, headers=stolen)).json()
    await owner.execute("UPDATE auth.totp_factors SET created_at = now() - interval '11 minutes'")
    code = pyotp.TOTP(begun["secret"]).now()
    late = await client.post(f"{AUTH}/2fa/enable", json={"code": code}, headers=stolen)
    assert (late.status_code, late.json()["code"]) == (409, "2FA_NOT_ENABLED")


async def test_guessing_codes_locks(app, client, stolen, phone):
    app.state.settings = app.state.settings.model_copy(update={"lockout_attempts": 3})
    codes = [(await attempts(client, stolen)["delete the account"]()).json()["code"] for _ in range(4)]
    assert codes == ["INVALID_2FA_CODE"] * 3 + ["ACCOUNT_LOCKED"]


async def test_a_code_deletes_the_account(client, stolen, phone, owner):
    answer = await attempts(client, stolen, code=phone.now())["delete the account"]()
    assert answer.status_code == 204
    assert await owner.fetchval("SELECT count(*) FROM auth.users") == 0

"""The second factor: enrolled, asked for after every first one, each code once, guesses counted."""

import asyncio
import re

import pyotp
import pytest

from fluxbase.auth import access_tokens

from ..serving import PASSWORD, bearer

AUTH = "/api/v1/auth"
SECRET = "a secret for tests only, long enough for HS256"


@pytest.fixture
def app(app):
    app.state.settings = app.state.settings.model_copy(update={"signin_attempts_per_minute": 1000})
    return app


async def post(client, path, by=None, **body):
    answer = await client.post(f"{AUTH}/{path}", json=body, headers=bearer(by) if by else {})
    client.cookies.clear()
    return answer


async def first_step(client, password=PASSWORD):
    return await post(client, "signin", email="ada@example.com", password=password)


class Authenticator:
    """Ada's telephone. Each code is of a half minute of its own, since none counts twice."""

    def __init__(self, secret: str, owner) -> None:
        self._totp, self._owner = pyotp.TOTP(secret), owner

    async def code(self) -> str:
        await self._owner.execute("UPDATE auth.totp_factors SET last_step = 0")
        return self._totp.now()


@pytest.fixture
async def enrolled(client, ada, owner) -> dict:
    begun = (await post(client, "2fa/setup", ada, password=PASSWORD)).json()
    assert begun["otpauth_url"].startswith("otpauth://totp/")
    assert begun["secret"] in begun["otpauth_url"]
    phone = Authenticator(begun["secret"], owner)
    answer = await post(client, "2fa/enable", ada, code=await phone.code())
    assert answer.status_code == 200, answer.text
    return {"phone": phone, "codes": answer.json()["recovery_codes"], "secret": begun["secret"]}


async def test_enrolment_counts_once_a_code_was_seen(client, ada, owner):
    assert (await post(client, "2fa/setup", ada, password="wrong")).json()["code"] == "WRONG_PASSWORD"
    begun = (await post(client, "2fa/setup", ada, password=PASSWORD)).json()
    assert "access_token" in (await first_step(client)).json()  # nothing is asked for yet
    wrong = await post(client, "2fa/enable", ada, code="000000")
    assert (wrong.status_code, wrong.json()["code"]) == (403, "INVALID_2FA_CODE")
    phone = Authenticator(begun["secret"], owner)
    assert (await post(client, "2fa/enable", ada, code=await phone.code())).status_code == 200
    assert (await post(client, "2fa/setup", ada, password=PASSWORD)).json()["code"] == "2FA_ENABLED"
    assert (await post(client, "2fa/enable", ada, code=await phone.code())).json()["code"] == "2FA_ENABLED"
    assert begun["secret"] not in str(await owner.fetch("SELECT * FROM auth.totp_factors"))


async def test_turning_it_on_ends_the_sessions_that_lacked_it(client, ada, owner):
    other = (await first_step(client)).json()
    begun = (await post(client, "2fa/setup", ada, password=PASSWORD)).json()
    await post(client, "2fa/enable", ada, code=pyotp.TOTP(begun["secret"]).now())
    assert (await client.get(f"{AUTH}/user", headers=bearer(other))).status_code == 401
    refreshed = await post(client, "refresh", refresh_token=ada["refresh_token"])
    claims = access_tokens.verify(SECRET, refreshed.json()["access_token"])
    assert (claims["aal"], claims["amr"]) == ("aal2", ["password", "totp"])


async def test_both_steps_open_a_session(client, enrolled):
    first = await first_step(client)
    body = first.json()
    assert first.status_code == 200
    assert body["requires_2fa"] is True
    assert set(body) == {"requires_2fa", "challenge", "expires_in"}
    assert "set-cookie" not in first.headers
    assert (
        await client.get(f"{AUTH}/user", headers={"Authorization": f"Bearer {body['challenge']}"})
    ).status_code == 401
    second = await post(client, "2fa/verify", challenge=body["challenge"], code=await enrolled["phone"].code())
    assert second.status_code == 200
    claims = access_tokens.verify(SECRET, second.json()["access_token"])
    assert (claims["aal"], claims["amr"]) == ("aal2", ["password", "totp"])
    again = await post(client, "2fa/verify", challenge=body["challenge"], code=await enrolled["phone"].code())
    assert again.json()["code"] == "INVALID_CHALLENGE"


async def test_a_code_counts_once(client, enrolled):
    challenges = [(await first_step(client)).json()["challenge"] for _ in range(3)]
    code = await enrolled["phone"].code()
    answers = await asyncio.gather(*(post(client, "2fa/verify", challenge=one, code=code) for one in challenges))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401]
    assert {answer.json().get("code") for answer in answers} == {None, "INVALID_2FA_CODE"}


async def test_the_code_that_enrolled_does_not_sign_in(client, ada):
    begun = (await post(client, "2fa/setup", ada, password=PASSWORD)).json()
    code = pyotp.TOTP(begun["secret"]).now()
    assert (await post(client, "2fa/enable", ada, code=code)).status_code == 200
    challenge = (await first_step(client)).json()["challenge"]
    assert (await post(client, "2fa/verify", challenge=challenge, code=code)).status_code == 401


async def test_a_recovery_code_counts_once(client, enrolled, ada, owner):
    assert len(set(enrolled["codes"])) == 10
    assert enrolled["codes"][0] not in str(await owner.fetch("SELECT * FROM auth.recovery_codes"))
    typed = enrolled["codes"][0].upper().replace("-", " ")
    challenge = (await first_step(client)).json()["challenge"]
    answer = await post(client, "2fa/verify", challenge=challenge, code=typed)
    assert answer.status_code == 200
    assert access_tokens.verify(SECRET, answer.json()["access_token"])["amr"] == ["password", "recovery_code"]
    challenge = (await first_step(client)).json()["challenge"]
    assert (await post(client, "2fa/verify", challenge=challenge, code=typed)).status_code == 401
    status = (await client.get(f"{AUTH}/2fa/status", headers=bearer(ada))).json()
    assert status == {"enabled": True, "recovery_codes_left": 9}


async def test_new_recovery_codes_replace_the_old(client, enrolled, ada):
    assert (await post(client, "2fa/recovery-codes", ada, password="wrong")).status_code == 403
    fresh = (await post(client, "2fa/recovery-codes", ada, password=PASSWORD)).json()["recovery_codes"]
    for code, status in ((enrolled["codes"][0], 401), (fresh[0], 200)):
        challenge = (await first_step(client)).json()["challenge"]
        assert (await post(client, "2fa/verify", challenge=challenge, code=code)).status_code == status


async def test_guessing_locks_and_knowing_the_password_gives_no_fresh_guesses(app, client, enrolled):
    app.state.settings = app.state.settings.model_copy(update={"lockout_attempts": 3})
    for _ in range(3):
        challenge = (await first_step(client)).json()["challenge"]
        assert (await post(client, "2fa/verify", challenge=challenge, code="000000")).status_code == 401
    right = await post(client, "2fa/verify", challenge=challenge, code=await enrolled["phone"].code())
    assert (right.status_code, right.json()["code"]) == (403, "ACCOUNT_LOCKED")
    assert (await first_step(client)).json()["code"] == "ACCOUNT_LOCKED"


async def test_a_challenge_expires_and_ends_with_the_password(client, enrolled, owner):
    challenge = (await first_step(client)).json()["challenge"]
    await owner.execute("UPDATE auth.one_time_tokens SET expires_at = now()")
    answer = await post(client, "2fa/verify", challenge=challenge, code=await enrolled["phone"].code())
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_CHALLENGE")
    challenge = (await first_step(client)).json()["challenge"]
    await owner.execute("UPDATE auth.users SET encrypted_password = crypt('by the operator', gen_salt('bf', 4))")
    answer = await post(client, "2fa/verify", challenge=challenge, code=await enrolled["phone"].code())
    assert answer.json()["code"] == "INVALID_CHALLENGE"


@pytest.mark.parametrize("code", ["", "abc", "12345", "1234567", "\0", "१२३४५६", "x" * 1000])
async def test_odd_codes_are_wrong_codes(client, enrolled, code):
    challenge = (await first_step(client)).json()["challenge"]
    answer = await post(client, "2fa/verify", challenge=challenge, code=code)
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_2FA_CODE")


async def test_turning_it_off_needs_the_password(client, enrolled, ada):
    assert (await post(client, "2fa/disable", ada)).status_code == 403
    assert (await post(client, "2fa/disable", ada, code=await enrolled["phone"].code())).status_code == 403
    assert (await post(client, "2fa/disable", ada, password=PASSWORD)).json() == {"enabled": False}
    assert "access_token" in (await first_step(client)).json()
    assert (await post(client, "2fa/disable", ada, password=PASSWORD)).json()["code"] == "2FA_NOT_ENABLED"


async def test_without_a_password_a_code_turns_it_off(client, enrolled, ada, owner):
    await owner.execute("UPDATE auth.users SET encrypted_password = NULL")
    for proof in ({}, {"password": "anything"}, {"code": "000000"}):
        assert (await post(client, "2fa/disable", ada, **proof)).json()["code"] == "INVALID_2FA_CODE"
    done = await post(client, "2fa/disable", ada, code=await enrolled["phone"].code())
    assert done.json() == {"enabled": False}


@pytest.fixture
async def confirmed(enrolled, owner) -> dict:
    await owner.execute("UPDATE auth.users SET email_confirmed_at = now()")
    return enrolled


async def test_a_mailed_link_asks_for_it_too(mailing, client, confirmed, mailbox, deliver):
    await post(client, "magiclink", email="ada@example.com")
    await deliver()
    answer = await post(client, "magiclink/verify", token=mailbox.token)
    assert answer.json()["requires_2fa"] is True
    second = await post(
        client, "2fa/verify", challenge=answer.json()["challenge"], code=await confirmed["phone"].code()
    )
    assert access_tokens.verify(SECRET, second.json()["access_token"])["amr"] == ["magiclink", "totp"]


async def test_the_plain_page_asks_for_it_too(mailing, client, confirmed, mailbox, deliver):
    await post(client, "magiclink", email="ada@example.com", redirect_to="/projects")
    await deliver()
    fields = {"type": "magiclink", "token": mailbox.token, "next": "/projects"}
    asked = await client.post(f"{AUTH}/link", data=fields)
    challenge = re.search(r'name="token" value="([\w-]+)"', asked.text)[1]
    fields = {"type": "second_factor", "token": challenge, "next": "/projects"}
    wrong = await client.post(f"{AUTH}/link", data={**fields, "code": "000000"})
    assert wrong.status_code == 401
    assert challenge in wrong.text
    assert "That code is wrong" in wrong.text
    right = await client.post(f"{AUTH}/link", data={**fields, "code": await confirmed["phone"].code()})
    assert (right.status_code, right.headers["location"]) == (303, "/projects")
    assert (await client.get(f"{AUTH}/user")).status_code == 200


async def test_after_the_installations_secret_changed_recovery_codes_still_open(client, enrolled, owner):
    await owner.execute("UPDATE auth.totp_factors SET sealed_secret = 'sealed with another one'")
    challenge = (await first_step(client)).json()["challenge"]
    wrong = await post(client, "2fa/verify", challenge=challenge, code=await enrolled["phone"].code())
    assert wrong.json()["code"] == "INVALID_2FA_CODE"
    right = await post(client, "2fa/verify", challenge=challenge, code=enrolled["codes"][0])
    assert right.status_code == 200


async def test_a_password_reset_does_not_take_it_away(mailing, client, confirmed, mailbox, deliver):
    await post(client, "password/reset", email="ada@example.com")
    await deliver()
    await post(client, "password/reset/confirm", token=mailbox.token, password="a quite different one")
    assert (await first_step(client, "a quite different one")).json()["requires_2fa"] is True


async def test_the_second_step_is_counted(client, enrolled):
    challenge = (await first_step(client)).json()["challenge"]
    await post(client, "2fa/verify", challenge=challenge, code="000000")
    await post(client, "2fa/verify", challenge=challenge, code=await enrolled["phone"].code())
    metrics = (await client.get("/metrics")).text
    assert 'fluxbase_auth_attempts_total{method="totp"} 2.0' in metrics
    assert 'fluxbase_auth_success_total{method="totp"} 1.0' in metrics
    assert 'fluxbase_auth_failure_total{method="totp",reason="invalid_2fa_code"} 1.0' in metrics

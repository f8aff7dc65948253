"""Mail over a real SMTP server: who gets one, what its link or code does, and what its asking tells: nothing."""

import asyncio

import pytest

from fluxbase.auth.mail import smtp
from fluxbase.auth.mail.delivery import mail_delivery
from fluxbase.settings import Settings

from ..serving import PASSWORD, bearer

AUTH = "/api/v1/auth"
NEW = "a quite different one"
WAYS = ["password/reset", "magiclink", "otp", "verify-email/resend"]


async def ask(client, way, email="ada@example.com", **more):
    return await client.post(f"{AUTH}/{way}", json={"email": email, **more})


async def follow(client, way, **body):
    answer = await client.post(f"{AUTH}/{way}", json=body)
    client.cookies.clear()
    return answer


async def sign_in(client, password=PASSWORD):
    return await follow(client, "signin", email="ada@example.com", password=password)


@pytest.mark.parametrize("way", WAYS)
async def test_asking_tells_nothing(mailing, client, ada, mailbox, deliver, owner, way):
    known, unknown = await ask(client, way), await ask(client, way, "nobody@example.com")
    assert known.status_code == unknown.status_code == 202
    assert known.content == unknown.content
    rows = await owner.fetch("SELECT purpose, attempts, redirect_to FROM auth.mail_requests")
    assert rows[0] == rows[1]  # the same work, too: what differs is done when it is sent
    await deliver()
    assert [mail["To"] for mail in mailbox.mails] == ["ada@example.com"]
    assert await owner.fetchval("SELECT count(*) FROM auth.mail_requests") == 0


@pytest.mark.parametrize("way", WAYS)
async def test_without_a_server_it_says_so(client, ada, way):
    answer = await ask(client, way)
    assert (answer.status_code, answer.json()["code"]) == (400, "MAIL_NOT_CONFIGURED")
    assert "FLUXBASE_SMTP_HOST" in answer.json()["message"]


async def test_a_reset_sets_the_password_ends_sessions_and_opens_a_lock(mailing, client, ada, mailbox, deliver, owner):
    await owner.execute("INSERT INTO auth.lockouts VALUES ('ada@example.com', 10, now(), now() + interval '1 hour')")
    await ask(client, "password/reset")
    await deliver()
    weak = await follow(client, "password/reset/confirm", token=mailbox.token, password="short")
    assert weak.json()["code"] == "WEAK_PASSWORD"
    done = await follow(client, "password/reset/confirm", token=mailbox.token, password=NEW)
    assert done.status_code == 204
    assert (await client.get(f"{AUTH}/user", headers=bearer(ada))).status_code == 401
    assert (await sign_in(client)).status_code == 401
    assert (await sign_in(client, NEW)).status_code == 200
    again = await follow(client, "password/reset/confirm", token=mailbox.token, password=PASSWORD)
    assert (again.status_code, again.json()["code"]) == (401, "INVALID_CODE")


async def test_a_link_signs_in_once(mailing, client, ada, mailbox, deliver, owner):
    await ask(client, "magiclink")
    await deliver()
    assert mailbox.link.startswith("http://testserver/api/v1/auth/link?type=magiclink&token=fbo_")
    stored = str(await owner.fetch("SELECT * FROM auth.one_time_tokens"))
    assert mailbox.token not in stored
    answer = await follow(client, "magiclink/verify", token=mailbox.token)
    assert answer.status_code == 200
    assert answer.json()["user"]["email"] == "ada@example.com"
    assert (await follow(client, "magiclink/verify", token=mailbox.token)).status_code == 401
    assert await owner.fetchval("SELECT amr FROM auth.sessions ORDER BY created_at DESC LIMIT 1") == ["magiclink"]


async def test_two_at_once_use_a_link_once(mailing, client, ada, mailbox, deliver):
    await ask(client, "magiclink")
    await deliver()
    answers = await asyncio.gather(*(follow(client, "magiclink/verify", token=mailbox.token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


@pytest.mark.parametrize("way", ["magiclink/verify", "verify-email"])
async def test_a_token_is_for_its_purpose_only(mailing, client, ada, mailbox, deliver, way):
    await ask(client, "password/reset")
    await deliver()
    assert (await follow(client, way, token=mailbox.token)).status_code == 401
    assert (
        await follow(client, "password/reset/confirm", token=mailbox.token, password=NEW)
    ).status_code == 204  # and is not used up by the wrong one


async def test_it_expires_and_the_next_mail_replaces_it(mailing, client, ada, mailbox, deliver, owner):
    await ask(client, "magiclink")
    await deliver()
    first = mailbox.token
    await ask(client, "magiclink")
    await deliver()
    assert (await follow(client, "magiclink/verify", token=first)).status_code == 401
    await owner.execute("UPDATE auth.one_time_tokens SET expires_at = now()")
    assert (await follow(client, "magiclink/verify", token=mailbox.token)).status_code == 401


async def test_a_new_password_makes_it_worthless(mailing, client, ada, mailbox, deliver, owner):
    await ask(client, "password/reset")
    await deliver()
    await owner.execute("UPDATE auth.users SET encrypted_password = crypt('by the operator', gen_salt('bf', 4))")
    answer = await follow(client, "password/reset/confirm", token=mailbox.token, password=NEW)
    assert answer.status_code == 401


async def test_a_code_signs_in_once(mailing, client, ada, mailbox, deliver, owner):
    await ask(client, "otp")
    await deliver()
    body = {"email": "ADA@example.com", "code": f" {mailbox.code} "}
    assert (await follow(client, "otp/verify", email="eve@example.com", code=mailbox.code)).status_code == 401
    assert (await follow(client, "otp/verify", **body)).status_code == 200
    assert (await follow(client, "otp/verify", **body)).json()["code"] == "INVALID_CODE"
    assert await owner.fetchval("SELECT amr FROM auth.sessions ORDER BY created_at DESC LIMIT 1") == ["otp"]


async def test_five_wrong_codes_use_the_right_one_up(mailing, client, ada, mailbox, deliver):
    await ask(client, "otp")
    await deliver()
    wrong = f"{(int(mailbox.code) + 1) % 10**6:06}"
    for _ in range(5):
        assert (await follow(client, "otp/verify", email="ada@example.com", code=wrong)).status_code == 401
    assert (await follow(client, "otp/verify", email="ada@example.com", code=mailbox.code)).status_code == 401


async def test_guessing_codes_locks_known_and_unknown_addresses(mailing, client, ada):
    for email in ("ada@example.com", "nobody@example.com"):
        codes = [(await follow(client, "otp/verify", email=email, code="000000")).json()["code"] for _ in range(11)]
        assert codes == ["INVALID_CODE"] * 10 + ["ACCOUNT_LOCKED"]


async def test_one_mailbox_is_not_filled(mailing, client, ada):
    answers = [(await ask(client, "magiclink")).status_code for _ in range(4)]
    assert answers == [202, 202, 202, 429]
    unknown = [(await ask(client, "magiclink", "nobody@example.com")).status_code for _ in range(4)]
    assert unknown == answers


async def test_links_lead_only_where_they_may(mailing, client, ada, mailbox, deliver):
    for target in ("https://evil.example.com/", "//evil.example.com", "https://app.example.com/other", "javascript:x"):
        assert (await ask(client, "magiclink", redirect_to=target)).json()["code"] == "INVALID_REDIRECT", target
    await ask(client, "magiclink", redirect_to="https://app.example.com/back?a=b")
    await deliver()
    assert mailbox.link.startswith("https://app.example.com/back?a=b&type=magiclink&token=fbo_")
    await ask(client, "magiclink", redirect_to="/projects")
    await deliver()
    assert mailbox.link.startswith("http://testserver/api/v1/auth/link?type=magiclink&token=fbo_")
    assert mailbox.link.endswith("&next=%2Fprojects")


async def test_the_host_header_names_no_link(mailing, client, ada, mailbox, deliver):
    await client.post(f"{AUTH}/magiclink", json={"email": "ada@example.com"}, headers={"Host": "evil.example.com"})
    await deliver()
    assert mailbox.link.startswith("http://testserver/")


async def test_the_plain_page_uses_nothing_up_but_its_button_does(mailing, client, ada, mailbox, deliver):
    await ask(client, "magiclink")
    await deliver()
    page = await client.get(mailbox.link)
    assert page.status_code == 200
    assert "<button>Sign in</button>" in page.text
    pressed = await client.post(f"{AUTH}/link", data={"type": "magiclink", "token": mailbox.token})
    assert "You are signed in" in pressed.text
    assert (await client.get(f"{AUTH}/user")).json()["email"] == "ada@example.com"
    odd = await client.get(f"{AUTH}/link?type=%3Cscript%3E&token=%22%3E")
    assert "<script" not in odd.text


@pytest.fixture
def confirming(mailing):
    mailing.state.settings = mailing.state.settings.model_copy(update={"email_confirmation": True})
    return mailing


async def sign_up(client, password=PASSWORD):
    return await follow(client, "signup", email="ada@example.com", password=password)


async def test_the_first_sign_in_waits_for_the_confirmation(confirming, client, mailbox, deliver):
    answer = await sign_up(client)
    assert answer.status_code == 201
    assert answer.json() == {"user": None, "requires_email_confirmation": True}
    assert "set-cookie" not in answer.headers
    refused = await sign_in(client)
    assert (refused.status_code, refused.json()["code"]) == (403, "EMAIL_NOT_CONFIRMED")
    assert (await sign_in(client, "wrong")).json()["code"] == "INVALID_CREDENTIALS"
    await deliver()
    assert (await follow(client, "verify-email", token=mailbox.token)).json() == {"confirmed": True}
    user = (await sign_in(client)).json()["user"]
    assert user["email_confirmed_at"] is not None
    await ask(client, "verify-email/resend")
    await deliver()
    assert len(mailbox.mails) == 1  # there is nothing to confirm any more


async def test_signing_up_fills_no_mailbox_either(confirming, client):
    answers = [(await sign_up(client)).status_code for _ in range(4)]
    assert answers == [201, 201, 201, 429]
    assert (await ask(client, "magiclink")).status_code == 429  # one limit for all that goes to one address


async def test_signing_up_again_tells_only_the_mailbox(confirming, client, mailbox, deliver, owner):
    first = await sign_up(client)
    await deliver()
    second = await sign_up(client, NEW)
    assert (first.status_code, first.content) == (second.status_code, second.content)
    await deliver()
    assert mailbox.mails[-1]["Subject"] == "You have an account already"
    assert await owner.fetchval("SELECT count(*) FROM auth.users") == 1


async def test_a_password_that_a_stranger_set_is_no_trap(confirming, client, mailbox, deliver, owner):
    """Mallory signs up with Ada's address; Ada comes by a magic link. Mallory's password must not open it then."""
    await sign_up(client)
    await ask(client, "magiclink")
    await deliver()
    assert (await follow(client, "magiclink/verify", token=mailbox.token)).status_code == 200
    assert (await sign_in(client)).status_code == 401


def test_confirmation_without_a_mail_server_is_refused_at_the_start():
    with pytest.raises(ValueError, match="FLUXBASE_SMTP_HOST"):
        Settings(_env_file=None, email_confirmation=True)


async def test_a_server_that_is_away_is_tried_again(mailing, client, ada, mailbox, deliver, owner):
    mailbox.answers += ["451 try later"]
    await ask(client, "magiclink")
    await deliver()
    assert mailbox.mails == []
    row = await owner.fetchrow("SELECT attempts, next_attempt_at > now() AS later FROM auth.mail_requests")
    assert dict(row) == {"attempts": 1, "later": True}
    assert await deliver() == 0
    await owner.execute("UPDATE auth.mail_requests SET next_attempt_at = now()")
    await deliver()
    assert (await follow(client, "magiclink/verify", token=mailbox.token)).status_code == 200


async def test_what_no_server_takes_is_given_up(mailing, client, ada, mailbox, deliver, owner, capsys):
    mailbox.answers += ["550 no such mailbox"]
    await ask(client, "magiclink")
    await deliver()
    await ask(client, "otp")
    mailbox.answers += ["451 try later"]
    await owner.execute("UPDATE auth.mail_requests SET created_at = created_at - interval '2 hours'")
    await deliver()
    assert await owner.fetchval("SELECT count(*) FROM auth.mail_requests") == 0
    assert mailbox.mails == []


async def test_beside_the_routes_mail_goes_out_by_itself(mailing, client, ada, mailbox):
    async with mail_delivery(mailing):
        await ask(client, "otp")
        async with asyncio.timeout(10):
            while not mailbox.mails:  # noqa: ASYNC110 -- the mailbox is another thread's
                await asyncio.sleep(0.02)
    assert mailbox.code


async def test_two_senders_send_once(mailing, client, ada, mailbox, deliver):
    await ask(client, "otp")
    await asyncio.gather(deliver(), deliver(), deliver())
    assert len(mailbox.mails) == 1


async def test_what_waits_for_its_turn_is_not_claimed_yet(mailing, client, ada, mailbox, deliver, owner, monkeypatch):
    """A claim must not run out while its mail waits behind slow ones: it would be sent twice, the first link dead."""
    for number in range(12):
        await owner.execute(
            """INSERT INTO auth.mail_requests (purpose, email, next_attempt_at, created_at)
               VALUES ('exists', 'ada@example.com', now() - interval '1 minute' * $1::integer, now())""",
            number,
        )
    unsent, claimed = smtp.send, []

    async def slow(settings, message):
        claimed.append(await open_claims(mailing))
        await unsent(settings, message)

    monkeypatch.setattr(smtp, "send", slow)
    await asyncio.gather(deliver(), deliver())
    assert len(mailbox.mails) == 12
    assert max(claimed) <= 8  # two processes, four at once each


async def open_claims(app) -> int:
    async with app.state.resources.database.transaction() as connection:
        return await connection.fetchval(
            "SELECT count(*) FROM auth.mail_requests WHERE attempts > 0 AND next_attempt_at > now()"
        )


async def test_one_that_cannot_be_made_holds_up_nobody(mailing, client, ada, mailbox, deliver, owner, monkeypatch):
    await owner.execute(
        """INSERT INTO auth.mail_requests (purpose, email, redirect_to, next_attempt_at, created_at)
           VALUES ('magiclink', 'ada@example.com', 'http://[broken', now() - interval '1 day', now()),
                  ('magiclink', 'ada@example.com', 'http://[older', now() - interval '1 day', now() - interval '1 day'),
                  ('exists', 'ada@example.com', NULL, now() - interval '1 hour', now())"""
    )
    assert await deliver() == 3
    assert [mail["Subject"] for mail in mailbox.mails] == ["You have an account already"]
    left = await owner.fetch("SELECT redirect_to, next_attempt_at > now() AS later FROM auth.mail_requests")
    assert [tuple(row) for row in left] == [("http://[broken", True)]  # the older one is given up


async def test_each_method_is_counted(mailing, client, ada, mailbox, deliver):
    for way, verify in (
        ("verify-email/resend", "verify-email"),
        ("magiclink", "magiclink/verify"),
        ("otp", "otp/verify"),
    ):
        await ask(client, way)
        await deliver()
        proof = {"email": "ada@example.com", "code": mailbox.code} if way == "otp" else {"token": mailbox.token}
        for _ in range(2):
            await follow(client, verify, **proof)
    metrics = (await client.get("/metrics")).text
    for method in ("magiclink", "otp", "verify_email"):
        assert f'fluxbase_auth_attempts_total{{method="{method}"}} 2.0' in metrics
        assert f'fluxbase_auth_success_total{{method="{method}"}} 1.0' in metrics
        assert f'fluxbase_auth_failure_total{{method="{method}",reason="invalid_code"}} 1.0' in metrics

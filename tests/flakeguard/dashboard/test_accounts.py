"""The pages around accounts: second step, forgotten passwords, links of mails, authenticators, sessions, identities."""

import re
from html import unescape

import pyotp
import pytest
import segno

from fluxbase.auth import one_time, repository
from fluxbase.auth.one_time import Purpose
from fluxbase.db import SERVICE
from fluxbase.settings import OAuthProvider

PASSWORD = "correct horse battery"

CSRF = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


async def press(browser, path: str, **fields):
    """Send a form of the account's page."""
    token = CSRF.search((await browser.get("/account")).text)[1]
    return await browser.post(path, data={"csrf_token": token, **fields})


@pytest.fixture
def page(client):
    """A browser that nobody signed in with."""
    client.headers["accept"] = "text/html"
    return client


def configure(app, **settings) -> None:
    app.state.settings = app.state.settings.model_copy(update=settings)


async def test_enrolling_shows_secret_and_codes_once_and_signing_in_asks_for_them(app, ada, owner) -> None:
    shown = await press(ada, "/account/2fa/setup", proof=PASSWORD)
    secret = re.search(r'id="totp-secret"[^>]*>([A-Z2-7]+)<', shown.text)[1]
    assert "otpauth://totp/" in shown.text
    address = unescape(re.search(r'id="totp-address"[^>]*>([^<]+)<', shown.text)[1])
    drawn = segno.make_qr(address, error="m").svg_inline(scale=4, border=4, dark="#000", light="#fff")
    assert '<div role="img" aria-label="QR code' in shown.text
    assert drawn in shown.text
    wrong = await press(ada, "/account/2fa/enable", code="000000")
    assert wrong.status_code == 403
    assert secret in wrong.text  # the form is still there to try again
    enabled = await press(ada, "/account/2fa/enable", code=pyotp.TOTP(secret).now())
    codes = re.findall(r"<li><code>([a-z2-7-]{19})</code>", enabled.text)
    assert len(codes) == 10
    again = (await ada.get("/account")).text
    assert secret not in again
    assert codes[0] not in again
    assert "10 of your recovery codes are left" in again

    ada.cookies.clear()
    asked = await ada.post("/signin", data={"email": "ada@example.com", "password": PASSWORD, "next": "/account"})
    challenge = re.search(r'name="challenge" value="([\w-]+)"', asked.text)[1]
    assert 'autocomplete="one-time-code"' in asked.text
    assert "fluxbase_session" not in ada.cookies
    refused = await ada.post("/signin/code", data={"challenge": challenge, "code": "000000", "next": "/account"})
    assert refused.status_code == 401
    assert challenge in refused.text
    entered = await ada.post("/signin/code", data={"challenge": challenge, "code": codes[0], "next": "/account"})
    assert (entered.status_code, entered.headers["location"]) == (303, "/account")
    assert "9 of your recovery codes are left" in (await ada.get("/account")).text

    assert (await press(ada, "/account/2fa/disable", proof="wrong")).status_code == 403
    fresh = await press(ada, "/account/2fa/codes", proof=PASSWORD)
    assert len(re.findall(r"<li><code>", fresh.text)) == 10
    off = await press(ada, "/account/2fa/disable", proof=PASSWORD)
    assert off.headers["location"] == "/account?notice=2fa-disabled"
    assert await owner.fetchval("SELECT count(*) FROM auth.totp_factors") == 0


async def test_an_open_redirect_is_none(app, ada) -> None:
    ada.cookies.clear()
    for target in ("//evil.example.com", "https://evil.example.com", "/\\evil.example.com", "/\t/evil.example.com"):
        answer = await ada.post("/signin", data={"email": "ada@example.com", "password": PASSWORD, "next": target})
        assert answer.headers["location"] == "/", target
        ada.cookies.clear()


async def test_sessions_are_listed_and_ended(app, ada, owner) -> None:
    user = await owner.fetchval("SELECT id FROM auth.users WHERE email = 'ada@example.com'")
    await owner.execute(
        """INSERT INTO auth.sessions (user_id, token_hash, user_agent, expires_at)
           SELECT $1, sha256(n::text::bytea), 'Browser ' || n, now() + interval '1 day' FROM generate_series(1, 3) n""",
        user,
    )
    assert "Browser 2" in (await ada.get("/account")).text
    one = await owner.fetchval("SELECT id FROM auth.sessions WHERE user_agent = 'Browser 2'")
    for _ in range(2):  # a second click finds it gone, and says the same
        assert (await press(ada, "/account/sessions/end", session=str(one))).status_code == 303
    left = (await ada.get("/account")).text
    assert "Browser 2" not in left
    assert "Browser 1" in left
    await press(ada, "/account/sessions/end")
    assert await owner.fetchval("SELECT count(*) FROM auth.sessions WHERE user_id = $1", user) == 1


async def test_what_is_not_configured_is_not_offered(app, page, people) -> None:
    bare = (await page.get("/signin")).text
    assert "/forgot" not in bare
    assert "Sign in with" not in bare
    github = OAuthProvider(client_id="us", client_secret="ours")
    configure(app, smtp_host="127.0.0.1", oauth_providers={"github": github})
    offered = (await page.get("/signin?next=/projects/1")).text
    assert 'href="/forgot"' in offered
    assert 'href="/api/v1/auth/oauth/github/authorize?redirect_to=/projects/1"' in offered
    assert "Sign in with GitHub" in offered
    assert "verify it there first" in (await page.get("/signin?error=provider_email_unverified")).text
    assert "<script>" not in (await page.get("/signin?error=<script>alert(1)</script>")).text


async def test_forgetting_answers_the_same_for_everybody(app, page, people, owner) -> None:
    configure(app, smtp_host="127.0.0.1")
    texts = []
    for email in ("ada@example.com", "nobody@example.com"):
        answer = await page.post("/forgot", data={"email": email, "way": "recovery"})
        assert answer.status_code == 200
        texts.append(answer.text.replace(email, ""))
    assert texts[0] == texts[1]
    assert await owner.fetchval("SELECT count(*) FROM auth.mail_requests WHERE purpose = 'recovery'") == 2


async def a_link(app, people, purpose: Purpose) -> str:
    """The link that a mail to Ada has."""
    from fluxbase.auth.mail import links

    state = app.state
    async with state.resources.database.transaction(SERVICE) as connection:
        user = await repository.find_user_by_email(connection, "ada@example.com")
        token = await one_time.issue(connection, user, purpose, state.resources.now())
    return links.link(state.settings, state.account_hooks, purpose, token, None).removeprefix("http://testserver")


def token_of(link: str) -> str:
    return re.search(r"token=([\w-]+)", link)[1]


async def test_a_mailed_link_opens_a_page_whose_button_sets_the_password(app, page, people) -> None:
    link = await a_link(app, people, Purpose.RECOVERY)
    assert link.startswith("/link?type=recovery&token=")
    assert 'autocomplete="new-password"' in (await page.get(link)).text
    fields = {"type": "recovery", "token": token_of(link)}
    assert (await page.post("/link", data={**fields, "password": "short"})).status_code == 400
    done = await page.post("/link", data={**fields, "password": "a quite different one"})
    assert done.headers["location"] == "/signin?notice=password-set"
    body = {"email": "ada@example.com", "password": "a quite different one"}
    assert (await page.post("/signin", data=body)).status_code == 303
    page.cookies.clear()
    used = await page.post("/link", data={**fields, "password": "a quite different one"})
    assert used.status_code == 401
    assert "ask for another one" in used.text


async def test_a_magic_link_signs_in_by_its_button_only(app, page, people) -> None:
    link = await a_link(app, people, Purpose.MAGICLINK)
    for _ in range(2):
        assert (await page.get(link)).status_code == 200
    assert "fluxbase_session" not in page.cookies
    entered = await page.post("/link", data={"type": "magiclink", "token": token_of(link), "next": "/account"})
    assert entered.headers["location"] == "/account"
    assert "ada@example.com" in (await page.get("/account")).text


async def test_confirming_an_address(app, page, people, owner) -> None:
    link = await a_link(app, people, Purpose.CONFIRMATION)
    done = await page.post("/link", data={"type": "confirmation", "token": token_of(link)})
    assert done.headers["location"] == "/signin?notice=email-confirmed"
    assert await owner.fetchval("SELECT email_confirmed_at FROM auth.users WHERE email = 'ada@example.com'")
    assert "not complete" in (await page.get("/link")).text


async def test_signing_up_where_addresses_are_confirmed(app, page, people, owner) -> None:
    configure(app, smtp_host="127.0.0.1", email_confirmation=True)
    answer = await page.post("/signup", data={"email": "ben@example.com", "password": PASSWORD})
    assert answer.headers["location"] == "/signin?notice=confirm-email"
    assert "fluxbase_session" not in page.cookies
    refused = await page.post("/signin", data={"email": "ben@example.com", "password": PASSWORD})
    assert refused.status_code == 403
    assert "Confirm your e-mail address first" in refused.text


async def test_identities_are_listed_and_disconnected(app, ada, owner) -> None:
    github = OAuthProvider(client_id="us", client_secret="ours")
    configure(app, oauth_providers={"github": github})
    assert 'aria-label="Connect GitHub"' in (await ada.get("/account")).text
    connecting = await press(ada, "/account/identities/connect", provider="github")
    assert 'href="https://github.com/login/oauth/authorize?' in connecting.text
    assert "fluxbase_oauth" in connecting.headers["set-cookie"]
    identity = await owner.fetchval(
        """INSERT INTO auth.identities (user_id, provider, provider_id, email)
           SELECT id, 'github', '1', 'ada@github.example' FROM auth.users WHERE email = 'ada@example.com'
           RETURNING id"""
    )
    assert "ada@github.example" in (await ada.get("/account")).text
    gone = await press(ada, "/account/identities/end", identity=str(identity))
    assert gone.headers["location"] == "/account?notice=identity-disconnected"
    assert await owner.fetchval("SELECT count(*) FROM auth.identities") == 0


async def test_who_has_no_password_is_not_asked_for_it(app, ada, owner) -> None:
    await owner.execute("UPDATE auth.users SET encrypted_password = NULL")
    text = (await ada.get("/account")).text
    assert "Current password" not in text
    assert "Set password" in text
    await owner.execute("UPDATE auth.sessions SET created_at = now() - interval '11 minutes'")
    assert "Sign out and in again first" in (await ada.get("/account")).text
    for path, fields in (("password", {"new": "a quite different one"}), ("2fa/setup", {}), ("delete", {})):
        refused = await press(ada, f"/account/{path}", **fields)
        assert refused.status_code == 403
        assert "Sign in again" in refused.text
    await owner.execute("UPDATE auth.sessions SET created_at = now()")
    assert (await press(ada, "/account/password", new="a quite different one")).status_code == 303
    assert "Current password" in (await ada.get("/account")).text

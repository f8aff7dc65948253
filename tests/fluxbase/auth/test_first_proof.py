"""Mallory makes an account with Ada's address and stays in it in every way there is; then Ada proves her address."""

import pyotp
import pytest

from ..serving import PASSWORD, bearer

AUTH = "/api/v1/auth"
NEW = "a quite different one"


@pytest.fixture
async def taken_over(mailing, client, ada, owner) -> dict:
    """Mallory's session; she has connected an identity, begun to connect another, and enrolled an authenticator."""
    begun = await client.post(f"{AUTH}/2fa/setup", json={"password": PASSWORD}, headers=bearer(ada))
    code = pyotp.TOTP(begun.json()["secret"]).now()
    enabled = await client.post(f"{AUTH}/2fa/enable", json={"code": code}, headers=bearer(ada))
    assert enabled.status_code == 200
    await owner.execute(
        """INSERT INTO auth.identities (user_id, provider, provider_id) SELECT id, 'github', 'mallory' FROM auth.users;
           INSERT INTO auth.oauth_states (state_hash, browser_hash, provider, sealed, link_user_id, expires_at)
           SELECT 'a', 'b', 'github', '', id, now() + interval '1 hour' FROM auth.users;
           INSERT INTO auth.one_time_tokens (token_hash, user_id, purpose, email, created_at, expires_at)
           SELECT 'c', id, 'exchange', email, now(), now() + interval '1 hour' FROM auth.users"""
    )
    return ada


async def prove(client, way, mailbox, deliver):
    await client.post(f"{AUTH}/{way}", json={"email": "ada@example.com"})
    await deliver()
    body = {
        "password/reset": lambda: ("password/reset/confirm", {"token": mailbox.token, "password": NEW}),
        "magiclink": lambda: ("magiclink/verify", {"token": mailbox.token}),
        "otp": lambda: ("otp/verify", {"email": "ada@example.com", "code": mailbox.code}),
        "verify-email/resend": lambda: ("verify-email", {"token": mailbox.token}),
    }[way]()
    answer = await client.post(f"{AUTH}/{body[0]}", json=body[1])
    client.cookies.clear()
    assert answer.status_code in (200, 204), answer.text
    return answer


async def sign_in(client, password):
    return await client.post(f"{AUTH}/signin", json={"email": "ada@example.com", "password": password})


@pytest.mark.parametrize("way", ["password/reset", "magiclink", "otp", "verify-email/resend"])
async def test_the_first_proof_ends_every_other_way_in(client, taken_over, mailbox, deliver, owner, way):
    answer = await prove(client, way, mailbox, deliver)
    assert (await client.get(f"{AUTH}/user", headers=bearer(taken_over))).status_code == 401
    refreshed = await client.post(f"{AUTH}/refresh", json={"refresh_token": taken_over["refresh_token"]})
    assert refreshed.status_code == 401
    for table in ("identities", "oauth_states", "totp_factors", "recovery_codes", "one_time_tokens"):
        assert await owner.fetchval(f"SELECT count(*) FROM auth.{table}") == 0, table
    if way in ("magiclink", "otp"):
        assert "access_token" in answer.json()  # Mallory's authenticator is not asked for
    if way != "verify-email/resend":  # which confirms the sign-up, with its password
        assert (await sign_in(client, PASSWORD)).status_code == 401
    if way == "password/reset":
        assert "access_token" in (await sign_in(client, NEW)).json()


@pytest.mark.parametrize("way", ["password/reset", "magiclink"])
async def test_later_proofs_take_nothing_away(client, taken_over, mailbox, deliver, owner, way):
    await owner.execute("UPDATE auth.users SET email_confirmed_at = now()")
    answer = await prove(client, way, mailbox, deliver)
    assert await owner.fetchval("SELECT count(*) FROM auth.identities") == 1
    if way == "magiclink":
        assert answer.json()["requires_2fa"] is True
        assert (await client.get(f"{AUTH}/user", headers=bearer(taken_over))).status_code == 200
        assert (await sign_in(client, PASSWORD)).json()["requires_2fa"] is True
    else:  # every session ends, the second factor stays
        assert (await client.get(f"{AUTH}/user", headers=bearer(taken_over))).status_code == 401
        assert (await sign_in(client, NEW)).json()["requires_2fa"] is True

"""Lock-out: failures in a row close an address, known or not; it opens by itself."""

import asyncio
from datetime import timedelta

import pytest

from ..serving import PASSWORD, bearer


@pytest.fixture
def app(app):
    app.state.settings = app.state.settings.model_copy(
        update={"lockout_attempts": 3, "signin_attempts_per_minute": 100}
    )
    return app


async def sign_in(client, password=PASSWORD, email="ada@example.com"):
    answer = await client.post("/api/v1/auth/signin", json={"email": email, "password": password})
    client.cookies.clear()
    return answer


async def codes(client, *passwords, email="ada@example.com") -> list[str]:
    return [(await sign_in(client, password, email)).json().get("code", "in") for password in passwords]


async def test_failures_in_a_row_lock_the_right_password_out_too(client, ada):
    assert await codes(client, "wrong", "wrong", "wrong") == ["INVALID_CREDENTIALS"] * 3
    refused = await sign_in(client)
    assert (refused.status_code, refused.json()["code"]) == (403, "ACCOUNT_LOCKED")
    assert "15 min" in refused.json()["message"]
    # Who is signed in stays so: others must not be able to throw somebody out.
    assert (await client.get("/api/v1/auth/user", headers=bearer(ada))).status_code == 200


async def test_an_address_without_an_account_is_closed_just_the_same(client, ada):
    unknown = await codes(client, *["wrong"] * 5, email="Nobody@example.com")
    assert unknown == await codes(client, *["wrong"] * 5)


async def test_it_opens_by_itself(client, ada, owner):
    await codes(client, "wrong", "wrong", "wrong")
    assert await codes(client, PASSWORD) == ["ACCOUNT_LOCKED"]
    await owner.execute(
        """UPDATE auth.lockouts
           SET locked_until = locked_until - $1::interval, last_failed_at = last_failed_at - $1::interval""",
        timedelta(minutes=15, seconds=1),
    )
    assert await codes(client, "wrong", PASSWORD) == ["INVALID_CREDENTIALS", "in"]
    assert await owner.fetchval("SELECT count(*) FROM auth.lockouts") == 0


async def test_a_lock_is_not_made_longer_by_knocking(client, ada, owner):
    await codes(client, "wrong", "wrong", "wrong")
    until = await owner.fetchval("SELECT locked_until FROM auth.lockouts")
    await codes(client, "wrong", "wrong")
    assert await owner.fetchval("SELECT locked_until FROM auth.lockouts") == until


async def test_signing_in_begins_to_count_anew(client, ada):
    assert (
        await codes(client, "wrong", "wrong", PASSWORD, "wrong", "wrong", PASSWORD)
        == [
            *["INVALID_CREDENTIALS"] * 2,
            "in",
        ]
        * 2
    )


async def test_old_failures_are_forgotten(client, ada, owner):
    await codes(client, "wrong", "wrong")
    await owner.execute("UPDATE auth.lockouts SET last_failed_at = last_failed_at - interval '16 minutes'")
    assert await codes(client, "wrong", PASSWORD) == ["INVALID_CREDENTIALS", "in"]


async def test_of_guesses_at_once_none_counts_after_the_lock(client, ada, monkeypatch):
    """All of them are let through before the first is judged; the right one comes last."""
    from fluxbase.auth import passwords

    real, order = passwords.matches, asyncio.Event()

    async def slowly(password, stored):
        fits = await real(password, stored)
        if fits:
            await order.wait()
        return fits

    monkeypatch.setattr(passwords, "matches", slowly)
    right = asyncio.create_task(sign_in(client))
    await codes(client, "wrong", "wrong", "wrong")
    order.set()
    assert (await right).json()["code"] == "ACCOUNT_LOCKED"


async def test_asking_for_the_password_again_counts_too(client, ada):
    for _ in range(3):
        await client.request("DELETE", "/api/v1/auth/user", headers=bearer(ada), json={"password": "wrong"})
    refused = await client.request("DELETE", "/api/v1/auth/user", headers=bearer(ada), json={"password": PASSWORD})
    assert refused.json()["code"] == "ACCOUNT_LOCKED"


async def test_an_operators_lock_may_last_for_ever(client, ada, owner):
    await owner.execute("INSERT INTO auth.lockouts VALUES ('ada@example.com', 1, now(), 'infinity')")
    assert await codes(client, PASSWORD) == ["ACCOUNT_LOCKED"]


async def test_the_operator_opens_it(client, ada, owner):
    await codes(client, "wrong", "wrong", "wrong")
    await owner.execute("DELETE FROM auth.lockouts WHERE email = 'ada@example.com'")
    assert await codes(client, PASSWORD) == ["in"]


async def test_odd_addresses_are_counted_without_an_error(client, ada):
    for email in ("x" * 1000, "a\0b@example.com", "", "İ@example.com", "ß" * 320):
        assert (await sign_in(client, "wrong", email)).status_code == 401

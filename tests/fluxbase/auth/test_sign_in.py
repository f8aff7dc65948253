"""Signing in: the right password, the runbook's password, too many wrong ones."""

import asyncio

import pytest

from fluxbase.auth import passwords

from ..serving import PASSWORD, client_for


async def sign_in(client, email="ada@example.com", password=PASSWORD, path="signin", **more):
    return await client.post(f"/api/v1/auth/{path}", json={"email": email, "password": password}, **more)


@pytest.mark.parametrize("path", ["signin", "login"])
async def test_the_right_password_signs_in(client, ada, path, owner):
    answer = await sign_in(client, email="ADA@example.com", path=path)
    assert answer.status_code == 200
    assert answer.json()["user"]["id"] == ada["user"]["id"]
    assert answer.json()["access_token"] != ada["access_token"]
    assert answer.json()["user"]["last_sign_in_at"] is not None
    assert await owner.fetchval("SELECT count(*) FROM auth.audit_log_entries WHERE action = 'auth.login'") == 1


async def test_anything_else_is_the_same_401(client, ada, owner):
    wrong = (
        ("ada@example.com", "wrong horse battery"),
        ("nobody@example.com", PASSWORD),
        ("ada@example.com", PASSWORD + " "),
        ("ada@example.com", "x" * 1000),
        ("ada@example.com", ""),
        ("ada%@example.com", PASSWORD),
    )
    answers = [await sign_in(client, email=email, password=password) for email, password in wrong]
    assert {answer.status_code for answer in answers} == {401}
    bodies = [answer.json() | {"request_id": ""} for answer in answers]
    assert all(body == bodies[0] for body in bodies)
    assert (bodies[0]["error"], bodies[0]["code"]) == ("invalid_credentials", "INVALID_CREDENTIALS")
    failed = await owner.fetch("SELECT * FROM auth.audit_log_entries WHERE action = 'auth.login_failed' ORDER BY id")
    assert [row["actor_id"] is not None for row in failed] == [email == "ada@example.com" for email, _ in wrong]
    assert PASSWORD not in str(failed)


async def test_an_unknown_address_costs_the_same_work(monkeypatch):
    """Both ways run bcrypt exactly once, at the same number of rounds: time does not tell whether an account exists."""
    import bcrypt

    stored = await passwords.hashed(PASSWORD)
    await passwords.matches("x", None)  # the dummy is made once
    rounds = []
    real = bcrypt.checkpw

    def counted(candidate: bytes, against: bytes) -> bool:
        rounds.append(against[4:6])
        return real(candidate, against)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    for known in (stored, None, "not a hash"):
        rounds.clear()
        assert not await passwords.matches("wrong", known)
        assert rounds[-1] == b"04"
        assert len(rounds) == 1 or known == "not a hash"
    monkeypatch.setattr(passwords, "ROUNDS", 5)
    for known in (stored, None):  # as pgcrypto writes it: with less work
        assert not await passwords.matches("wrong", known)
        assert rounds[-1] == b"05"


async def test_a_password_set_by_pgcrypto_signs_in(client, ada, owner):
    await owner.execute(
        "UPDATE auth.users SET encrypted_password = crypt('set by the operator', gen_salt('bf')) WHERE email = $1",
        "ada@example.com",
    )
    assert (await sign_in(client)).status_code == 401
    assert (await sign_in(client, password="set by the operator")).status_code == 200


async def test_a_weaker_hash_is_replaced_when_its_password_is_at_hand(client, ada, owner, monkeypatch):
    monkeypatch.setattr(passwords, "ROUNDS", 5)
    assert (await sign_in(client)).status_code == 200
    assert (await owner.fetchval("SELECT encrypted_password FROM auth.users")).startswith("$2b$05$")
    assert (await sign_in(client)).status_code == 200


async def test_a_password_that_changes_while_it_is_checked_signs_nobody_in(client, ada, owner, monkeypatch):
    real = passwords.matches

    async def slow(*args):
        fits = await real(*args)
        await owner.execute("UPDATE auth.users SET encrypted_password = crypt('another', gen_salt('bf', 4))")
        return fits

    monkeypatch.setattr(passwords, "matches", slow)
    assert (await sign_in(client)).status_code == 401


async def test_an_account_without_a_password_has_none_to_guess(client, ada, owner):
    await owner.execute("UPDATE auth.users SET encrypted_password = NULL")
    assert (await sign_in(client, password="")).status_code == 401


async def test_composed_and_decomposed_letters_are_one_password(client):
    body = {"email": "zoe@example.com", "password": "Zo\u00eb's password"}
    assert (await client.post("/api/v1/auth/signup", json=body)).status_code == 201
    assert (await sign_in(client, email="zoe@example.com", password="Zoe\u0308's password")).status_code == 200


async def test_ten_attempts_a_minute_then_429(client, ada):
    answers = await asyncio.gather(*(sign_in(client, password="wrong") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {401}
    refused = await sign_in(client)
    assert refused.status_code == 429
    assert refused.json()["error"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 60


async def test_the_limit_is_by_address(app, client, ada):
    app.state.settings = app.state.settings.model_copy(update={"lockout_attempts": 100})
    for _ in range(11):
        await sign_in(client, password="wrong")
    async with client_for(app, peer=("192.0.2.8", 1)) as elsewhere:
        assert (await sign_in(elsewhere)).status_code == 200


async def test_signing_in_again_ends_the_session_it_replaces(client, ada):
    first = (await sign_in(client)).json()["access_token"]  # leaves its cookie in the client
    second = (await sign_in(client)).json()["access_token"]
    client.cookies.clear()
    assert (await client.get("/api/v1/auth/user", headers={"Authorization": f"Bearer {first}"})).status_code == 401
    assert (await client.get("/api/v1/auth/user", headers={"Authorization": f"Bearer {second}"})).status_code == 200

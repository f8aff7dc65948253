"""Making accounts: who may, with which address, with which password."""

import asyncio
import json

import pytest
from fastapi import FastAPI

from fluxbase.auth import AccountHooks, Accounts, SignupState
from fluxbase.auth.signing_up import signup_state
from fluxbase.monitoring import Metrics
from fluxbase.ratelimit import RateLimiter
from fluxbase.settings import SignupPolicy

from ..serving import PASSWORD


async def sign_up(client, email="ada@example.com", password=PASSWORD, **more):
    return await client.post("/api/v1/auth/signup", json={"email": email, "password": password, **more})


def with_policy(app: FastAPI, policy: SignupPolicy) -> None:
    app.state.settings = app.state.settings.model_copy(update={"signup_policy": policy})


async def test_sign_up_answers_user_token_and_lifetime(client, owner):
    answer = await sign_up(client, user_metadata={"name": "Ada"})
    assert answer.status_code == 201
    body = answer.json()
    assert body["user"]["email"] == "ada@example.com"
    assert body["user"]["user_metadata"] == {"name": "Ada"}
    assert body["expires_in"] == 15 * 60
    me = await client.get("/api/v1/auth/user", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert me.json()["id"] == body["user"]["id"]
    stored = await owner.fetchval("SELECT encrypted_password FROM auth.users")
    assert stored.startswith("$2b$")
    actions = await owner.fetch("SELECT action, host(ip) AS ip FROM auth.audit_log_entries")
    assert [(row["action"], row["ip"]) for row in actions] == [("user.signup", "192.0.2.7")]


async def test_an_address_has_one_account_in_any_capitalisation(client):
    await sign_up(client)
    again = await sign_up(client, email="ADA@Example.com")
    assert again.status_code == 409
    assert again.json()["error"] == "email_exists"
    assert again.json()["code"] == "EMAIL_EXISTS"


async def test_passwords_that_cannot_be_used_are_refused(client, owner):
    unusable = {
        "too short": "short",
        "73 bytes": "ab" * 36 + "c",
        "74 bytes in 37 letters": "äö" * 18 + "ü",
        "one character": "a" * 14,
        "the address": "ada@example.com",
        "NUL": "null\0character!",
    }
    for what, password in unusable.items():
        answer = await sign_up(client, password=password)
        assert answer.status_code == 400, what
        assert answer.json()["error"] == "weak_password"
        assert password not in answer.text
    assert await owner.fetchval("SELECT count(*) FROM auth.users") == 0


async def test_72_bytes_are_a_password(client):
    assert (await sign_up(client, password="ab" * 36)).status_code == 201


async def test_what_is_no_address_is_refused(client):
    for email in ("", "ada", "@example.com", "ada@", "a b@c.d", "ada@c\0.d", "a" * 320 + "@b.c", "<ada@b.c>"):
        answer = await sign_up(client, email=email)
        assert answer.status_code == 400, email
        assert answer.json()["error"] == "invalid_email"
    half_a_letter = json.dumps({"email": "\ud800@b.c", "password": PASSWORD})
    answer = await client.post(
        "/api/v1/auth/signup", content=half_a_letter, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422


async def test_metadata_that_postgresql_cannot_store_is_the_callers_mistake(client):
    answer = await sign_up(client, user_metadata={"name": "a\0b"})
    assert answer.status_code == 400


@pytest.mark.parametrize("policy", [SignupPolicy.CLOSED, SignupPolicy.INVITED])
async def test_the_first_account_is_always_allowed_and_the_next_is_not(app, client, policy):
    with_policy(app, policy)
    assert (await sign_up(client)).status_code == 201
    client.cookies.clear()
    refused = await sign_up(client, email="eve@example.com")
    assert refused.status_code == 403
    assert refused.json()["error"] == "signup_refused"


async def test_a_page_can_ask_what_signing_up_would_be(app, client, settings, resources):
    accounts = Accounts(resources, settings, RateLimiter(resources.redis, "test", Metrics()), Metrics())
    assert await signup_state(accounts) == SignupState(first_account=True, policy=SignupPolicy.OPEN)
    await sign_up(client)
    assert await signup_state(accounts) == SignupState(first_account=False, policy=SignupPolicy.OPEN)


async def test_two_first_accounts_at_once_are_one(app, client, owner):
    with_policy(app, SignupPolicy.CLOSED)
    answers = await asyncio.gather(*(sign_up(client, email=f"{n}@example.com") for n in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 403, 403, 403]
    assert await owner.fetchval("SELECT count(*) FROM auth.users") == 1


async def test_by_invite_the_application_decides(app, client):
    asked = []

    async def may(_connection, email, token):
        asked.append((email, token))
        return token == "good"

    await sign_up(client)
    with_policy(app, SignupPolicy.INVITED)
    app.state.account_hooks = AccountHooks(may_sign_up=may)
    client.cookies.clear()
    assert (await sign_up(client, email="eve@example.com")).status_code == 403
    assert (await sign_up(client, email="eve@example.com", invite_token="bad")).status_code == 403
    assert (await sign_up(client, email="eve@example.com", invite_token="good")).status_code == 201
    assert asked == [("eve@example.com", None), ("eve@example.com", "bad"), ("eve@example.com", "good")]


async def test_fields_that_are_missing_are_named(client):
    answer = await client.post("/api/v1/auth/signup", json={"email": "ada@example.com"})
    assert answer.status_code == 422
    assert "password: Field required" in answer.json()["message"]
    assert answer.json()["details"] == [{"field": "password", "message": "Field required"}]


async def test_json_that_calls_itself_a_form_is_told_what_it_lacks(client):
    form = {"content-type": "application/x-www-form-urlencoded"}  # what curl's -d sends
    answer = await client.post("/api/v1/auth/signup", content=b'{"email": "ada@example.com"}', headers=form)
    assert answer.status_code == 422
    assert answer.json()["message"] == "body: send a JSON object, with the header Content-Type: application/json"
    for value in ("text", [], 1):
        answer = await client.post("/api/v1/auth/signup", json=value)
        assert answer.json()["message"] == "body: send a JSON object"

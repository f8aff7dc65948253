"""The database is told the same of a session, whatever it came by: cookie, access token or signed address."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import pytest

from fluxbase.auth.callers import caller_of_token
from fluxbase.auth.model import Proof, User, claims_of

from ..serving import PASSWORD, bearer, client_for

STORAGE = "/api/v1/storage"
OF_A_TOKEN_ALONE = {"iss", "iat", "exp", "jti"}


@pytest.fixture
def seen(app, monkeypatch, resources) -> list[dict]:
    """The claims of each transaction of a signed-in user, as the database was told them."""
    told: list[dict] = []
    transaction = resources.database.transaction

    def watched(claims=None, **options):
        if claims is None:
            return transaction(**options)
        told.append(json.loads(claims.as_json()))
        return transaction(claims, **options)

    monkeypatch.setattr(resources.database, "transaction", watched)
    return told


async def test_every_carrier_tells_the_same(app, client, ada, owner, seen):
    signed_in = await client.post("/api/v1/auth/signin", json={"email": "ada@example.com", "password": PASSWORD})
    await owner.execute(
        """UPDATE auth.users SET app_metadata = '{"plan": "team"}', user_metadata = '{"name": "Ada"}'"""
    )
    await owner.execute("UPDATE auth.sessions SET aal = 'aal2', amr = '{magiclink,totp}'")
    await owner.execute("INSERT INTO storage.buckets (id, user_uploads) VALUES ('papers', true)")
    refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": signed_in.json()["refresh_token"]})
    headers = bearer(refreshed.json())
    csrf = {"X-CSRF-Token": signed_in.json()["csrf_token"]}
    assert (await client.post(f"{STORAGE}/papers/a", content=b"x", headers=csrf)).status_code in (200, 201)
    by_cookie = seen[-1]
    assert (await client.get(f"{STORAGE}/papers/a", headers=headers)).status_code == 200
    by_token = seen[-1]
    signed = await client.post(f"{STORAGE}/papers/sign/a", json={"expires_in": 60}, headers=headers)
    async with client_for(app) as anybody:
        assert (await anybody.get(signed.json()["signed_url"])).content == b"x"
    by_address = seen[-1]
    assert by_cookie == by_address
    assert by_cookie == {name: value for name, value in by_token.items() if name not in OF_A_TOKEN_ALONE}
    assert (by_cookie["aal"], by_cookie["amr"]) == ("aal2", ["magiclink", "totp"])
    assert by_cookie["app_metadata"] == {"plan": "team"}


def test_claims_are_a_function_of_the_user_alone():
    session = UUID(int=2)
    user = User(UUID(int=1), "ada@example.com", datetime.now(UTC), session_id=session, proof=Proof(("otp",)))
    claims = claims_of(user)
    assert (claims.role, claims.sub, claims.session_id) == ("authenticated", str(user.id), session)
    assert (claims.extra["aal"], claims.extra["amr"]) == ("aal1", ["otp"])


def test_another_spelling_of_who_it_is_is_told_as_the_usual_one():
    user, session, now = UUID(int=0xABC), UUID(int=0xDEF), datetime.now(UTC)
    told = {"iss": "fluxbase", "aud": "authenticated", "role": "authenticated", "session_id": str(session)}
    for spelling in (str(user), str(user).upper(), f"{{{user}}}", user.hex):
        token = jwt.encode({**told, "sub": spelling, "iat": now, "exp": now + timedelta(hours=1)}, "s" * 32, "HS256")
        caller = caller_of_token("s" * 32, token)
        assert (caller.user_id, json.loads(caller.claims.as_json())["sub"]) == (user, str(user)), spelling

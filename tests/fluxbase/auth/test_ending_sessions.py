"""Sessions listed and ended: by scope, one by one, and told to whoever keeps sockets open."""

import asyncio

import pytest

from ..serving import PASSWORD, bearer

AUTH = "/api/v1/auth"


@pytest.fixture
async def three(client, ada) -> list[dict]:
    """Ada's sessions; she signed in from three places."""
    found = [ada]
    for _ in range(2):
        answer = await client.post(f"{AUTH}/signin", json={"email": "ada@example.com", "password": PASSWORD})
        found.append(answer.json())
        client.cookies.clear()
    return found


async def alive(client, pairs) -> list[bool]:
    return [(await client.get(f"{AUTH}/user", headers=bearer(pair))).status_code == 200 for pair in pairs]


@pytest.mark.parametrize(
    ("body", "left"),
    [
        (None, [False, True, True]),
        ({}, [False, True, True]),
        ({"scope": "local"}, [False, True, True]),
        ({"scope": "others"}, [True, False, False]),
        ({"scope": "global"}, [False, False, False]),
    ],
)
async def test_signing_out_ends_what_its_scope_says(client, three, body, left):
    answer = await client.post(f"{AUTH}/signout", headers=bearer(three[0]), json=body)
    assert answer.status_code == 204
    assert await alive(client, three) == left
    assert ("set-cookie" in answer.headers) == (body != {"scope": "others"})


async def test_other_scopes_need_somebody_signed_in(client, three):
    assert (await client.post(f"{AUTH}/signout", json={"scope": "global"})).status_code == 401
    assert (await client.post(f"{AUTH}/signout", headers=bearer(three[0]), json={"scope": "x"})).status_code == 422
    assert await alive(client, three) == [True] * 3


async def test_sessions_are_listed_and_ended_one_by_one(client, three):
    listed = (await client.get(f"{AUTH}/sessions", headers=bearer(three[1]))).json()
    assert len(listed) == 3
    assert [session["current"] for session in listed].count(True) == 1
    for session in listed:
        assert session["amr"] == ["password"]
        assert session["ip"] == "192.0.2.7"
        assert "token" not in str(session)
    for session in listed:
        if not session["current"]:
            ended = await client.delete(f"{AUTH}/sessions/{session['id']}", headers=bearer(three[1]))
            assert ended.status_code == 204
    assert await alive(client, three) == [False, True, False]


async def test_nobody_sees_or_ends_somebody_elses(client, three):
    eve = (await client.post(f"{AUTH}/signup", json={"email": "eve@example.com", "password": PASSWORD})).json()
    client.cookies.clear()
    theirs = (await client.get(f"{AUTH}/sessions", headers=bearer(three[0]))).json()
    assert len((await client.get(f"{AUTH}/sessions", headers=bearer(eve))).json()) == 1
    for session in theirs:
        refused = await client.delete(f"{AUTH}/sessions/{session['id']}", headers=bearer(eve))
        assert refused.status_code == 404
    await client.post(f"{AUTH}/signout", headers=bearer(eve), json={"scope": "global"})
    assert await alive(client, three) == [True] * 3
    assert (await client.delete(f"{AUTH}/sessions/nonsense", headers=bearer(three[0]))).status_code == 422


@pytest.fixture
async def told(owner):
    """What is told on the channel; `await told()` takes the next payload."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    await owner.add_listener("fluxbase_sessions", lambda *args: heard.put_nowait(args[3]))

    async def following() -> str:
        return await asyncio.wait_for(heard.get(), 5)

    return following


async def test_ended_sessions_are_told_by_id(client, three, owner, told):
    ids = {str(row["id"]) for row in await owner.fetch("SELECT id FROM auth.sessions")}
    await owner.execute("DELETE FROM auth.sessions WHERE user_id = $1::text::uuid", three[0]["user"]["id"])
    assert set((await told()).split(",")) == ids


async def test_too_many_are_told_as_look_for_yourselves(client, ada, owner, told):
    many = """INSERT INTO auth.sessions (user_id, token_hash, expires_at)
              SELECT id, sha256(n::text::bytea), now() + interval '1 day' FROM auth.users, generate_series(1, $1) n"""
    await owner.execute("DELETE FROM auth.sessions WHERE false")  # nothing ends, nothing is told
    await owner.execute(many, 199)
    await owner.execute("DELETE FROM auth.sessions")
    assert len((await told()).split(",")) == 200
    await owner.execute(many, 201)
    await owner.execute("DELETE FROM auth.sessions")
    assert await told() == ""
    await owner.execute("TRUNCATE auth.sessions CASCADE")
    assert await told() == ""


async def test_deleting_the_user_tells_too(client, ada, owner, told):
    session = await owner.fetchval("SELECT id FROM auth.sessions")
    await owner.execute("DELETE FROM auth.users")
    assert await told() == str(session)

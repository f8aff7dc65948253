"""Identities that are connected to an account, and taken from it."""

import asyncio

from ...serving import PASSWORD, bearer
from .travelling import AUTH, confirmed_ada, consent, sign_in


async def test_a_user_connects_and_disconnects(client, ada):
    begun = await client.post(f"{AUTH}/identities/oidc", headers=bearer(ada), json={})
    back = await consent(begun.json()["url"], "eve")  # any address: the person is signed in already
    assert (await client.get(back)).json() == {"connected": True}
    assert (await sign_in(client, "eve")).json()["user"]["id"] == ada["user"]["id"]
    client.cookies.clear()
    [identity] = (await client.get(f"{AUTH}/identities", headers=bearer(ada))).json()
    gone = await client.delete(f"{AUTH}/identities/{identity['id']}", headers=bearer(ada))
    assert gone.status_code == 204
    assert (await client.delete(f"{AUTH}/identities/{identity['id']}", headers=bearer(ada))).status_code == 404
    assert (await sign_in(client, "eve")).json()["code"] == "IDENTITY_REVOKED"
    begun = await client.post(f"{AUTH}/identities/oidc", headers=bearer(ada), json={})
    assert (await client.get(await consent(begun.json()["url"], "eve"))).json() == {"connected": True}
    client.cookies.clear()
    assert (await sign_in(client, "eve")).status_code == 200


async def test_what_a_stolen_session_began_ends_with_it(client, owner):
    """Else the thief would come back by an identity of their own after everything was taken away from them."""
    ada = await confirmed_ada(client, owner)
    begun = await client.post(f"{AUTH}/identities/oidc", headers=bearer(ada), json={})
    back = await consent(begun.json()["url"], "eve")
    await owner.execute("DELETE FROM auth.sessions; DELETE FROM auth.identities")
    answer = await client.get(back)
    assert (answer.status_code, answer.json()["code"]) == (401, "SESSION_ENDED")
    assert await owner.fetchval("SELECT count(*) FROM auth.identities") == 0


async def test_a_connection_waits_for_a_change_of_password_and_is_in_nobodys_way(client, owner):
    """Both hold the account and its session; in another order they would wait for each other, and one be thrown out."""
    ada = await confirmed_ada(client, owner)
    begun = await client.post(f"{AUTH}/identities/oidc", headers=bearer(ada), json={})
    back = await consent(begun.json()["url"], "eve")
    async with owner.transaction():
        await owner.execute("UPDATE auth.users SET encrypted_password = 'another'")
        connecting = asyncio.create_task(client.get(back))
        waits = """SELECT EXISTS (SELECT FROM pg_stat_activity
                   WHERE datname = current_database() AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"""
        while not await owner.fetchval(waits):  # noqa: ASYNC110 -- what is waited for is in PostgreSQL
            await asyncio.sleep(0.01)
        await owner.execute("DELETE FROM auth.sessions")
    answer = await connecting
    assert (answer.status_code, answer.json()["code"]) == (401, "SESSION_ENDED")


async def test_an_identity_has_one_account(client, ada, owner):
    await client.post(f"{AUTH}/identities/oidc", headers=bearer(ada), json={})
    begun = await client.post(f"{AUTH}/identities/oidc", headers=bearer(ada), json={})
    await client.get(await consent(begun.json()["url"], "eve"))
    client.cookies.clear()
    ben = (await client.post(f"{AUTH}/signup", json={"email": "ben@example.com", "password": PASSWORD})).json()
    client.cookies.clear()
    begun = await client.post(f"{AUTH}/identities/oidc", headers=bearer(ben), json={})
    taken = await client.get(await consent(begun.json()["url"], "eve"))
    assert (taken.status_code, taken.json()["code"]) == (409, "IDENTITY_TAKEN")
    assert (await client.get(f"{AUTH}/identities", headers=bearer(ben))).json() == []


async def test_the_only_way_in_stays(client):
    body = (await sign_in(client)).json()
    client.cookies.clear()
    [identity] = (await client.get(f"{AUTH}/identities", headers=bearer(body))).json()
    refused = await client.delete(f"{AUTH}/identities/{identity['id']}", headers=bearer(body))
    assert (refused.status_code, refused.json()["code"]) == (409, "LAST_WAY_IN")
    assert (await client.patch(f"{AUTH}/user", headers=bearer(body), json={"password": PASSWORD})).status_code == 200
    assert (await client.delete(f"{AUTH}/identities/{identity['id']}", headers=bearer(body))).status_code == 204

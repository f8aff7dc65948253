"""Two tenants: every verb and filter tried on each other's rows, and nothing crosses."""

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from ..serving import client_for
from .conftest import User
from .test_filters import CASES, ROWS

TODOS = "/api/v1/tables/public/todos"
pytestmark = pytest.mark.pg16

type Owner = asyncpg.Connection[asyncpg.Record]


async def test_no_filter_shows_anothers_rows(alice: User, bob: User) -> None:
    for row in ROWS:
        assert (await alice.client.post(TODOS, json=row)).status_code == 201
    mine = (await bob.client.post(TODOS, json={"title": "buy milk", "id": 50})).json()

    for query, _ in CASES:
        answer = await bob.client.get(f"{TODOS}?{query}&count=exact")
        assert answer.status_code == 200, query
        assert [row["id"] for row in answer.json()] in ([], [mine["id"]]), query
        assert answer.headers["content-range"].rpartition("/")[2] in ("0", "1"), query


async def test_no_verb_touches_anothers_rows(alice: User, bob: User, owner: Owner) -> None:
    row = (await alice.client.post(TODOS, json=ROWS[0])).json()
    before = await owner.fetch("SELECT * FROM todos")
    one = f"{TODOS}/{row['id']}"

    assert (await bob.client.get(one)).status_code == 404
    assert (await bob.client.patch(one, json={"title": "x"})).status_code == 404
    assert (await bob.client.delete(one)).status_code == 404
    assert (await bob.client.put(one, json={"title": "x"})).status_code == 403
    assert (await bob.client.patch(f"{TODOS}?id=gt.0", json={"title": "x"})).json() == []
    assert (await bob.client.delete(f"{TODOS}?id=gt.0")).json() == []
    assert (await bob.client.post(TODOS, json={"title": "x", "user_id": alice.id})).status_code == 403
    assert (await bob.client.post(f"{TODOS}?on_conflict=id", json={"id": row["id"], "title": "x"})).status_code == 403
    ignored = await bob.client.post(
        f"{TODOS}?on_conflict=id",
        json={"id": row["id"], "title": "x"},
        headers={"Prefer": "resolution=ignore-duplicates"},
    )
    assert (ignored.status_code, ignored.json()) in ((201, []), (404, ignored.json()))
    mine = (await bob.client.post(TODOS, json={"title": "mine"})).json()
    given = await bob.client.patch(f"{TODOS}/{mine['id']}", json={"user_id": alice.id})
    assert given.status_code == 403, "nor may a row be slipped to somebody else"
    assert await owner.fetch("SELECT * FROM todos WHERE id = $1", row["id"]) == before


async def test_views_and_functions_do_not_cross_either(alice: User, bob: User) -> None:
    rows = await alice.has("secret")
    assert (await bob.client.get("/api/v1/tables/open_todos")).json() == []
    assert (await bob.client.get("/api/v1/rpc/my_titles")).json() == []
    assert (await bob.client.post("/api/v1/rpc/finish", json={"todo": rows[0]["id"]})).status_code == 204
    assert (await alice.client.get(f"{TODOS}/{rows[0]['id']}")).json()["done"] is False


async def test_what_no_policy_guards_is_closed_whatever_was_granted(app: FastAPI, alice: User, owner: Owner) -> None:
    async with client_for(app) as anonymous:
        for table in ("bare", "leaky"):
            for client, status in ((alice.client, 403), (anonymous, 401)):
                address = f"/api/v1/tables/{table}"
                for answer in (
                    await client.get(address),
                    await client.post(address, json={"id": 5}),
                    await client.patch(f"{address}?id=eq.1", json={"id": 5}),
                    await client.delete(f"{address}?id=eq.1"),
                ):
                    assert answer.status_code == status, (table, answer.text)
    assert await owner.fetchval("SELECT count(*) FROM bare") == 1
    await owner.execute("ALTER TABLE bare ENABLE ROW LEVEL SECURITY")
    app.state.rest_catalog.forget()
    assert (await alice.client.get("/api/v1/tables/bare")).json()["error"] == "table_closed", "no policy yet"


async def test_what_is_closed_does_not_tell_what_it_has(app: FastAPI, alice: User, owner: Owner) -> None:
    """Neither columns of a table nor arguments of a function, by whatever mistake one asks for them."""
    await owner.execute(
        "CREATE TABLE hidden (id integer PRIMARY KEY, ssn text); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY all_ ON hidden USING (true); CREATE FUNCTION conceal(ssn text) RETURNS text STABLE LANGUAGE sql"
        " AS 'SELECT $1'; REVOKE EXECUTE ON FUNCTION conceal FROM PUBLIC"
    )
    paths = [f"tables/{table}?{asked}" for table in ("hidden", "bare", "leaky") for asked in (
        "", "nope=eq.1", "ssn=is.true", "secret=is.true", "ssn=eq.1", "select=id::nope",
    )]  # fmt: skip
    async with client_for(app) as anonymous:
        for path in (*paths, "rpc/conceal", "rpc/conceal?nope=1", "rpc/conceal?ssn=1"):
            for client, status in ((alice.client, 403), (anonymous, 401)):
                answer = await client.get(f"/api/v1/{path}")
                assert answer.status_code == status, (path, answer.text)
                told = answer.json() | {"request_id": None}
                plain = (await client.get(f"/api/v1/{path.partition('?')[0]}")).json() | {"request_id": None}
                assert told == plain, path
        assert "permission denied for table hidden" in (await alice.client.get("/api/v1/tables/hidden")).text
    await owner.execute("GRANT SELECT ON hidden TO authenticated; GRANT EXECUTE ON FUNCTION conceal TO authenticated")
    app.state.rest_catalog.forget()
    assert (await alice.client.get("/api/v1/tables/hidden")).json() == []
    assert (await alice.client.get("/api/v1/rpc/conceal?ssn=1")).json() == "1"
    assert "conceal takes (ssn text)" in (await alice.client.get("/api/v1/rpc/conceal")).text


async def test_the_anonymous_are_told_to_sign_in(app: FastAPI, tables: None) -> None:
    async with client_for(app) as anonymous:
        assert (await anonymous.get(TODOS)).json() == []
        refused = await anonymous.post(TODOS, json={"title": "x"})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert "sign in" in refused.json()["message"]


async def test_an_ended_session_is_refused_at_once(alice: User, owner: Owner) -> None:
    assert (await alice.client.get(TODOS)).status_code == 200
    await owner.execute("DELETE FROM auth.sessions")
    answer = await alice.client.get(TODOS)
    assert (answer.status_code, answer.json()["error"]) == (401, "session_ended")


async def test_claims_cannot_break_out_of_their_literal(app: FastAPI, alice: User, owner: Owner) -> None:
    evil = {"name": "o'neil\\'; SET ROLE service_role; --", "more": "$$ \\\\' \u2028 é"}
    changed = await alice.client.patch("/api/v1/auth/user", json={"user_metadata": evil})
    assert changed.status_code == 200, changed.text
    assert (await alice.client.get(TODOS)).status_code == 200
    from fluxbase.db import Claims

    async with app.state.resources.database.transaction(Claims("authenticated", alice.id, {"m": evil})) as connection:
        assert await connection.fetchval("SELECT auth.jwt() -> 'm'") == evil
        assert await connection.fetchval("SELECT current_user") == "authenticated"


async def test_keys_need_the_scope(app: FastAPI, tables: None, client: httpx.AsyncClient) -> None:
    from fluxbase.auth.callers import Caller
    from fluxbase.db import SERVICE
    from fluxbase.errors import PermissionDeniedError
    from fluxbase.rest.executor import executor_of
    from fluxbase.rest.introspection import catalog_of
    from fluxbase.rest.parser import Parameters, parse
    from fluxbase.rest.query import Call
    from fluxbase.rest.requests import Preferences
    from fluxbase.rest.service import Functions, Tables

    def tables_of(*scopes: str) -> Tables:
        caller = Caller(SERVICE, scopes=frozenset(scopes))
        return Tables(catalog_of(app), executor_of(app), 10, caller)

    name = ("public", "todos")
    assert (await tables_of("tables:read").rows(name, Parameters())).body is None
    assert (await tables_of("tables:write").delete(name, parse(b"id=eq.1"), Preferences())).rows == 0
    with pytest.raises(PermissionDeniedError):
        await tables_of("tables:read", "rpc:execute").delete(name, parse(b"id=eq.1"), Preferences())
    with pytest.raises(PermissionDeniedError):
        await tables_of("tables:write").rows(name, Parameters())
    functions = Functions(catalog_of(app), executor_of(app), 10, Caller(SERVICE, scopes=frozenset(("tables:*",))))
    with pytest.raises(PermissionDeniedError):
        await functions.call(("public", "my_titles"), Call(), read_only=True)


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer\tnonsense", "bearer nonsense", "ServiceKey"])
async def test_a_credential_that_is_none_is_refused(app: FastAPI, tables: None, header: str) -> None:
    async with client_for(app) as client:
        answer = await client.get("/api/v1/tables/todos", headers={"Authorization": header})
        assert answer.status_code == 401
        # A proxy's own password is none of our credentials.
        basic = await client.get("/api/v1/tables/todos", headers={"Authorization": "Basic YTpi"})
    assert (basic.status_code, basic.json()) == (200, [])

"""Digits, sizes, kept plans and sessions: what one request must neither lose nor leave to the next."""

import asyncio
import itertools
from datetime import timedelta

import asyncpg
import pytest
from fastapi import FastAPI

from fluxbase.db import SERVICE, Database, Work
from fluxbase.rest import introspection
from fluxbase.rest.introspection import CatalogCache, catalog_of

from .conftest import User

LONG = "12345678901234567890.12345678901234567890"


async def exposed(owner: "asyncpg.Connection[asyncpg.Record]", app: FastAPI, sql: str) -> None:
    await owner.execute(sql)
    catalog_of(app).forget()


async def test_a_put_keeps_every_digit(app: FastAPI, owner: "asyncpg.Connection[asyncpg.Record]", alice: User) -> None:
    await exposed(
        owner,
        app,
        "CREATE TABLE sums (id bigint PRIMARY KEY, user_id uuid, amount numeric, data jsonb);"
        "SELECT rest.expose('sums', 'user_id')",
    )
    body = f' {{"id": 9007199254740993, "amount": {LONG}, "data": {{"n": 1e-7, "big": {"9" * 5000}}}}} \n'
    address = "/api/v1/tables/public/sums/9007199254740993"
    answer = await alice.client.put(address, content=body)
    assert answer.status_code == 200, answer.text
    assert f'"amount":{LONG}' in answer.text
    assert "9" * 5000 in answer.text
    assert await owner.fetchval("SELECT amount::text FROM sums") == LONG
    assert (await alice.client.put(address, content='{"id": 9007199254740992}')).status_code == 400
    assert (await alice.client.put(address, content="{}")).status_code == 200


async def test_integers_of_any_length_are_postgresqls_to_refuse(alice: User) -> None:
    answer = await alice.client.post("/api/v1/tables/todos", content=f'{{"title": "x", "priority": {"1" * 5000}}}')
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_VALUE")
    assert "out of range" in answer.json()["message"]


async def test_answers_have_a_largest_size_and_what_was_too_large_changed_nothing(app: FastAPI, alice: User) -> None:
    app.state.settings = app.state.settings.model_copy(update={"rest_max_response_bytes": 1024})
    await alice.has("a")
    rows = [{"title": "x" * 90} for _ in range(20)]
    answer = await alice.client.post("/api/v1/tables/todos", json=rows)
    assert (answer.status_code, answer.json()["code"]) == (400, "ANSWER_TOO_LARGE")
    assert "1024" in answer.json()["message"]
    assert len((await alice.client.get("/api/v1/tables/todos")).json()) == 1
    headers = {"Prefer": "return=minimal"}
    assert (await alice.client.post("/api/v1/tables/todos", json=rows, headers=headers)).status_code == 204
    assert (await alice.client.get("/api/v1/tables/todos")).status_code == 400
    assert (await alice.client.get("/api/v1/tables/todos?limit=1")).status_code == 200


async def test_a_column_dropped_a_moment_ago_is_the_callers_400(
    app: FastAPI, owner: "asyncpg.Connection[asyncpg.Record]", alice: User
) -> None:
    row = (await alice.has("a"))[0]
    cache = catalog_of(app)
    stale = await cache.current()
    await owner.execute("ALTER TABLE todos DROP COLUMN priority")
    for address in ("/api/v1/tables/todos?select=priority", f"/api/v1/tables/public/todos/{row['id']}?select=priority"):
        cache._catalog = stale
        answer = await alice.client.get(address)
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_QUERY"), answer.text
    assert (await alice.client.get(f"/api/v1/tables/public/todos/{row['id']}")).status_code == 200


async def test_made_up_names_make_nobody_wait(app: FastAPI, alice: User, monkeypatch) -> None:
    cache: CatalogCache = catalog_of(app)
    before, blocked, go = await cache.current(), asyncio.Event(), asyncio.Event()
    real = introspection.read_catalog

    async def slow(connection, schemas):
        blocked.set()
        await go.wait()
        return await real(connection, schemas)

    monkeypatch.setattr(introspection, "read_catalog", slow)
    monkeypatch.setattr(introspection, "_AGAIN_SECONDS", 0)
    unknown = asyncio.create_task(alice.client.get("/api/v1/tables/no_such_table"))
    await blocked.wait()
    assert (await asyncio.wait_for(alice.client.get("/api/v1/tables/todos"), 5)).status_code == 200
    assert await cache.current() is before
    go.set()
    assert (await unknown).status_code == 404
    assert await cache.current() is not before


async def test_what_a_function_sets_does_not_reach_the_next_caller(
    app: FastAPI, owner: "asyncpg.Connection[asyncpg.Record]", alice: User, bob: User
) -> None:
    await exposed(
        owner,
        app,
        """
        CREATE FUNCTION mark(word text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
            PERFORM set_config('app.tenant', word, false), set_config('search_path', 'pg_catalog', false);
            PERFORM pg_advisory_lock(7);
            CREATE TEMP TABLE IF NOT EXISTS left_over AS SELECT 'alices'::text AS text;
        END $$;
        CREATE FUNCTION marked() RETURNS json LANGUAGE sql VOLATILE AS $$ SELECT json_build_array(
            pg_backend_pid(), nullif(current_setting('app.tenant', true), ''), current_setting('search_path'),
            to_regclass('pg_temp.left_over'),
            (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objid = 7)) $$;
        """,
    )
    _, *clean = (await alice.client.post("/api/v1/rpc/marked")).json()
    pool = app.state.resources.database.pool
    held = [await pool.acquire() for _ in range(pool.get_max_size() - 1)]  # so that both get the same connection
    try:
        assert (await alice.client.post("/api/v1/rpc/mark", json={"word": "alice"})).status_code == 204
        pid, *found = (await bob.client.post("/api/v1/rpc/marked")).json()
        assert pid == (await bob.client.post("/api/v1/rpc/marked")).json()[0]
    finally:
        for connection in held:
            pool.release(connection)
    assert found == clean == [None, clean[1], None, 0]


async def test_no_role_runs_the_plan_that_another_made(
    app: FastAPI, owner: "asyncpg.Connection[asyncpg.Record]", alice: User, bob: User
) -> None:
    row = (await alice.has("alices"))[0]
    address = f"/api/v1/tables/public/todos/{row['id']}"
    pool = app.state.resources.database.pool
    held = [await pool.acquire() for _ in range(pool.get_max_size() - 1)]
    try:
        for _ in range(8):  # PostgreSQL takes a generic plan after five
            assert (await alice.client.get(address)).json()["title"] == "alices"
            assert (await bob.client.get(address)).status_code == 404
            assert (await bob.client.patch(address, json={"title": "bobs"})).status_code == 404
        async with app.state.resources.database.transaction() as connection:
            plans = await connection.fetch("SELECT * FROM pg_prepared_statements WHERE name LIKE 'rest%'")
            assert len([plan for plan in plans if plan["generic_plans"]]) == 2
        await owner.execute("DROP POLICY owner ON todos")  # a kept plan is made anew when its policy goes
        assert (await alice.client.get(address)).status_code == 404
        await owner.execute("REVOKE SELECT ON todos FROM authenticated")
        assert (await alice.client.get(address)).status_code == 403
    finally:
        for connection in held:
            pool.release(connection)


LIARS = {
    "policy": "CREATE POLICY mine ON lied TO authenticated USING (user_id = me())",
    "policy that asks another": "CREATE POLICY mine ON lied TO authenticated USING (mine(user_id))",
    "policy by an operator": "CREATE POLICY mine ON lied TO authenticated USING (user_id === NULL::text)",
    "view": "CREATE POLICY mine ON lied TO authenticated USING (user_id IN (SELECT id FROM those))",
}


@pytest.mark.parametrize("liar", LIARS)
async def test_a_function_that_lies_about_being_immutable_shows_nobody_anothers_rows(
    app: FastAPI, owner: "asyncpg.Connection[asyncpg.Record]", alice: User, bob: User, liar: str
) -> None:
    """Planning computes such a function, so a plan that is kept would know one user's id for all."""
    await exposed(
        owner,
        app,
        f"""
        CREATE FUNCTION me() RETURNS uuid LANGUAGE sql IMMUTABLE AS 'SELECT auth.uid()';
        CREATE FUNCTION mine(whose uuid) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT whose = me()';
        CREATE FUNCTION is_me(whose uuid, ignored text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT whose = me()';
        CREATE OPERATOR === (LEFTARG = uuid, RIGHTARG = text, FUNCTION = is_me);
        CREATE VIEW those AS SELECT me() AS id;
        GRANT SELECT ON those TO authenticated;
        CREATE TABLE lied (id integer PRIMARY KEY, user_id uuid NOT NULL, title text);
        SELECT rest.expose('lied');
        {LIARS[liar]};
        INSERT INTO lied VALUES (1, '{alice.id}', 'alices');
        """,
    )
    pool = app.state.resources.database.pool
    held = [await pool.acquire() for _ in range(pool.get_max_size() - 1)]
    try:
        for address in ("/api/v1/tables/public/lied/1", "/api/v1/tables/lied"):
            for _ in range(8):  # PostgreSQL takes a generic plan after five
                assert "alices" in (await alice.client.get(address)).text
            assert "alices" not in (await bob.client.get(address)).text
    finally:
        for connection in held:
            pool.release(connection)


async def test_functions_that_others_may_create_do_not_stand_in_for_postgresqls(
    app: FastAPI, owner: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """`format` takes anything, so one for exactly these types fits better, whatever comes first in the search path."""
    for last in ("text", "text[]"):
        await owner.execute(
            f"CREATE FUNCTION public.format(text, text, {last}) RETURNS text LANGUAGE sql AS "
            "$$ SELECT 'SELECT ''not asked'', 1::bigint, 1::bigint' $$"
        )
    await owner.execute(
        "CREATE FUNCTION public.same(text[], text[]) RETURNS boolean LANGUAGE sql AS 'SELECT 1 / 0 > 0'"
    )
    await owner.execute("CREATE OPERATOR public.= (LEFTARG = text[], RIGHTARG = text[], FUNCTION = public.same)")
    for statement, values in (("SELECT $1[1], 1, 1", ("asked",)), ("SELECT 'asked', 1, 1", ())):
        work = Work(statement, values, timedelta(seconds=5), 100, plan_of="the service")
        for _ in range(3):
            assert (await app.state.resources.database.run(SERVICE, work))["body"] == "asked"


async def test_each_user_has_a_plan_of_their_own_for_a_list(app: FastAPI, alice: User, bob: User) -> None:
    """The best plan for a few rows is not the best for half of the table."""
    await alice.has("alices")
    pool = app.state.resources.database.pool
    held = [await pool.acquire() for _ in range(pool.get_max_size() - 1)]
    try:
        for _ in range(4):
            mine = await alice.client.get("/api/v1/tables/todos?select=title&order=id&limit=5")
            assert [row["title"] for row in mine.json()] == ["alices"]
            assert (await bob.client.get("/api/v1/tables/todos?select=title&order=id&limit=5")).json() == []
        async with app.state.resources.database.transaction() as connection:
            plans = await connection.fetch("SELECT * FROM pg_prepared_statements WHERE name LIKE 'rest%'")
        assert [(plan["parameter_types"], plan["generic_plans"]) for plan in plans] == [([], 3), ([], 3)]
    finally:
        for connection in held:
            pool.release(connection)


async def test_a_connection_keeps_a_bounded_number_of_plans(
    app: FastAPI, owner: "asyncpg.Connection[asyncpg.Record]", alice: User
) -> None:
    row = (await alice.has("a"))[0]
    pool = app.state.resources.database.pool
    held = [await pool.acquire() for _ in range(pool.get_max_size() - 1)]
    address = f"/api/v1/tables/public/todos/{row['id']}?select="
    database: Database = app.state.resources.database
    orders = list(itertools.permutations(("id", "done", "title", "tags", "data")))  # each is another text
    try:
        for number in range(110):
            for _ in range(2):  # what is asked once is not kept
                assert (await alice.client.get(address + ",".join(orders[number]))).is_success
            if number % 20 == 0:
                clash = await alice.client.post("/api/v1/tables/todos", json={"id": row["id"], "title": "b"})
                assert clash.status_code == 409
        async with database.transaction() as connection:
            count = await connection.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'rest%'")
            assert 0 < count <= 101
    finally:
        for connection in held:
            pool.release(connection)

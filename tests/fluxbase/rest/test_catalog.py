"""Changed tables are seen by a process that knew them: by notification, and by looking where nothing notifies."""

import asyncio

import asyncpg
import pytest
from fastapi import FastAPI

from fluxbase.rest import introspection
from fluxbase.rest.introspection import watching_catalog

from .conftest import User

pytestmark = pytest.mark.pg16
BARE = "/api/v1/tables/bare"

type Owner = asyncpg.Connection[asyncpg.Record]


async def opened_and_closed(alice: User, owner: Owner) -> None:
    """A table that is closed, then opened by a policy, then closed again by switching row-level security off."""
    assert (await alice.client.get(BARE)).status_code == 403
    await owner.execute("ALTER TABLE bare ENABLE ROW LEVEL SECURITY; CREATE POLICY all_ ON bare USING (true)")
    await answers(alice, 200)
    await owner.execute("ALTER TABLE bare DISABLE ROW LEVEL SECURITY")
    await answers(alice, 403)


async def answers(alice: User, status: int) -> None:
    async with asyncio.timeout(20):
        while (await alice.client.get(BARE)).status_code != status:  # noqa: ASYNC110 -- what is waited for is the answer
            await asyncio.sleep(0.02)


async def test_an_event_trigger_tells_of_changes(app: FastAPI, alice: User, owner: Owner) -> None:
    async with watching_catalog(app):
        await opened_and_closed(alice, owner)


async def test_without_event_triggers_the_catalog_is_looked_at(
    app: FastAPI, alice: User, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    await owner.execute("DROP EVENT TRIGGER fluxbase_catalog_changed; DROP EVENT TRIGGER fluxbase_catalog_dropped")
    monkeypatch.setattr(introspection, "_LOOK_SECONDS", 0.05)
    async with watching_catalog(app):
        await opened_and_closed(alice, owner)


async def test_keys_types_and_grants_are_read(app: FastAPI, tables: None) -> None:
    catalog = await introspection.catalog_of(app).current()
    todos, notes = catalog.tables["public", "todos"], catalog.tables["public", "notes"]

    assert todos.primary_key == ("id",)
    assert set(todos.unique_keys) == {frozenset(("id",)), frozenset(("priority",))}
    assert todos.grants["anon"] == {"select"}
    assert todos.grants["authenticated"] == {"select", "insert", "update", "delete"}
    assert todos.by_name["mood"].values == ("sad", "ok", "happy")
    assert todos.by_name["made_at"].type == "timestamp with time zone"
    assert notes.primary_key == ("owner", "slug")
    assert (notes.foreign_keys[0].columns, notes.foreign_keys[0].target) == (("todo_id",), ("public", "todos"))
    assert [name for (_, name) in catalog.functions] == sorted(
        ("add", "everybody", "finish", "my_titles", "my_todos", "nap", "refuse", "total")
    ), "nothing that an extension brought"
    assert catalog.tables["public", "open_todos"].guarded
    assert not catalog.tables["public", "leaky"].guarded


async def test_other_schemas_are_exposed_by_the_setting_alone(
    app: FastAPI, owner: "asyncpg.Connection[asyncpg.Record]", alice: User, bob: User
) -> None:
    await owner.execute(
        "CREATE SCHEMA shop; CREATE TABLE shop.todos (id integer PRIMARY KEY, user_id uuid NOT NULL);"
        "SELECT rest.expose('shop.todos', 'user_id');"
        "CREATE FUNCTION shop.mine() RETURNS SETOF integer LANGUAGE sql STABLE AS 'SELECT id FROM shop.todos'"
    )
    assert (await alice.client.get("/api/v1/tables/shop/todos")).status_code == 404
    app.state.settings = app.state.settings.model_copy(update={"rest_exposed_schemas": ("public", "shop")})
    del app.state.rest_catalog
    assert (await alice.client.post("/api/v1/tables/shop/todos", json={"id": 7})).status_code == 201
    for who, found in ((alice, [7]), (bob, [])):
        assert [row["id"] for row in (await who.client.get("/api/v1/tables/shop/todos")).json()] == found
        assert (await who.client.get("/api/v1/rpc/shop/mine")).json() == found
        assert (await who.client.get("/api/v1/tables/todos")).json() == [], "public has one of the same name"

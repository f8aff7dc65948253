"""Functions over HTTP."""

import asyncpg
import pytest
import schemathesis
import structlog
from fastapi import FastAPI

from .conftest import User

RPC = "/api/v1/rpc"
pytestmark = pytest.mark.pg16

type Owner = asyncpg.Connection[asyncpg.Record]


async def test_results_are_bare(alice: User) -> None:
    await alice.has("milk", "bread", "oat milk")
    post, get = alice.client.post, alice.client.get

    assert (await post(f"{RPC}/add", json={"a": 1, "b": 2})).json() == 3
    assert (await post(f"{RPC}/add", json={"a": 1})).json() == 2, "b has a default"
    assert (await get(f"{RPC}/add?a=5&b=6")).json() == 11
    assert (await post(f"{RPC}/public/add", json={"a": None})).json() is None
    assert (await get(f"{RPC}/my_titles")).json() == ["milk", "bread", "oat milk"]
    assert (await get(f"{RPC}/my_titles?limit=1&offset=1")).json() == ["bread"]
    assert [row["title"] for row in (await get(f"{RPC}/my_todos?word=milk")).json()] == ["milk", "oat milk"]
    assert (await post(f"{RPC}/my_todos", json={"word": "none"})).json() == []
    assert (await post(f"{RPC}/total", json={"numbers": [1, 2, 3]})).json() == 6
    assert (await post(f"{RPC}/everybody")).json() == 3


async def test_void_is_204_and_takes_effect(alice: User) -> None:
    row = (await alice.has("milk"))[0]
    answer = await alice.client.post(f"{RPC}/finish", json={"todo": row["id"]})
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await alice.client.get(f"/api/v1/tables/public/todos/{row['id']}")).json()["done"] is True


async def test_get_never_writes(alice: User) -> None:
    answer = await alice.client.get(f"{RPC}/finish?todo=1")
    assert (answer.status_code, answer.json()["error"]) == (405, "read_only")
    assert answer.headers["allow"] == "POST"


async def test_wrong_calls_say_what_is_right(alice: User) -> None:
    cases = [
        ("nothing", {}, 404, "no function 'nothing'"),
        ("ad", {"a": 1}, 404, "Did you mean add"),
        ("auth/uid", {}, 404, "not exposed"),
        ("pg_catalog/pg_sleep", {}, 404, "not exposed"),
        ("crypt", {}, 404, "no function"),
        ("add", {"b": 1}, 400, "(a integer, b integer (optional))"),
        ("add", {"a": 1, "c": 1}, 400, "add takes"),
        ("add", {"a": "one"}, 400, "invalid input syntax"),
        ("add", [1, 2], 400, "JSON object"),
    ]
    for name, body, status, said in cases:
        answer = await alice.client.post(f"{RPC}/{name}", json=body)
        assert (answer.status_code, said in answer.json()["message"]) == (status, True), answer.text


async def test_exceptions_carry_hint_and_details(alice: User) -> None:
    body = (await alice.client.post(f"{RPC}/refuse", json={"why": "because"})).json()
    assert (body["code"], body["message"], body["hint"]) == ("REFUSED", "because", "ask nicely")
    assert body["details"] == "it was asked"
    assert body["request_id"]


async def test_what_becomes_any_role_is_never_exposed(alice: User, app: FastAPI) -> None:
    every = {"rest_exposed_schemas": ("public", "rest", "pg_catalog", "information_schema")}
    app.state.settings = app.state.settings.model_copy(update=every)
    run = {"as_role": "service_role", "as_claims": "{}", "as_session": None, "only_reads": False}
    for name, body in (("rest/run", run | {"statement": "SELECT 1", "parameters": []}), ("pg_catalog/pg_sleep", {})):
        answer = await alice.client.post(f"{RPC}/{name}", json=body)
        assert answer.status_code == 404
        assert "not exposed; these are: public." in answer.json()["message"]


async def test_revoked_functions_are_denied(alice: User, owner: Owner) -> None:
    await owner.execute("REVOKE EXECUTE ON FUNCTION add FROM PUBLIC")
    assert (await alice.client.post(f"{RPC}/add", json={"a": 1})).status_code == 403


async def test_slow_statements_are_cancelled(alice: User, app: FastAPI, owner: Owner) -> None:
    from datetime import timedelta

    short = {"rest_statement_timeout": timedelta(milliseconds=100)}
    app.state.settings = app.state.settings.model_copy(update=short)
    answer = await alice.client.post(f"{RPC}/nap", json={"seconds": 60})
    assert (answer.status_code, answer.json()["error"]) == (504, "statement_timeout")
    running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%FROM rest.run(%'"
    running += " AND pid <> pg_backend_pid() AND datname = current_database()"
    assert await owner.fetchval(running) == 0, "it does not run on"
    assert (await alice.client.get(f"{RPC}/my_titles")).status_code == 200


async def test_a_full_disk_of_postgresqls_is_507_and_has_the_runbooks_line(alice: User, owner) -> None:
    await owner.execute(
        "CREATE FUNCTION fill() RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$"
    )
    with structlog.testing.capture_logs() as lines:
        answer = await alice.client.post(f"{RPC}/fill", json={})
    assert (answer.status_code, answer.json()["error"]) == (507, "insufficient_storage")
    assert int(answer.headers["retry-after"]) > 0
    assert ("error", "no space left on device") in {(line["log_level"], line["event"]) for line in lines}


async def test_the_description_shows_what_the_role_may_reach(alice: User) -> None:
    described = (await alice.client.get("/api/v1/tables")).json()
    assert described["openapi"] == "3.1.0"
    assert {"/api/v1/tables/public/todos", "/api/v1/tables/public/todos/{id}", "/api/v1/rpc/public/add"} <= {
        *described["paths"]
    }
    assert not any("bare" in path or "leaky" in path for path in described["paths"])
    todo = described["components"]["schemas"]["public.todos"]
    assert todo["properties"]["id"] == {"type": "integer", "format": "int64"}
    assert todo["properties"]["words"]["readOnly"] is True
    assert described["components"]["schemas"]["public.todos.new"]["required"] == ["title"]
    assert "required" not in todo, "an answer may have some columns only, and a change need not name all"


async def test_answers_are_as_the_description_has_them(alice: User) -> None:
    described = (await alice.client.get("/api/v1/tables")).json()
    schema = schemathesis.openapi.from_dict(described)
    (todo,) = await alice.has("milk")
    minimal = {"Prefer": "return=minimal"}
    for method, template, path, status, more in (
        ("GET", "tables/public/todos", "?select=title,id&limit=1&count=exact", "200", {}),
        ("POST", "tables/public/todos", "", "201", {"json": [{"title": "x"}, {"title": "y"}]}),
        ("POST", "tables/public/todos", "", "201", {"json": {"title": "z"}}),
        ("POST", "tables/public/todos", "", "204", {"json": {"title": "z"}, "headers": minimal}),
        ("PATCH", "tables/public/todos", "?title=eq.x", "200", {"json": {"done": True}}),
        ("DELETE", "tables/public/todos", "?title=eq.x", "200", {}),
        ("DELETE", "tables/public/todos", "?title=eq.y", "204", {"headers": minimal}),
        ("DELETE", "tables/public/todos", "", "400", {}),
        ("GET", "tables/public/todos/{id}", "", "200", {}),
        ("PATCH", "tables/public/todos/{id}", "", "200", {"json": {"mood": "ok"}}),
        ("PUT", "tables/public/todos/{id}", "", "200", {"json": {"title": "whole"}}),
        ("DELETE", "tables/public/todos/{id}", "", "204", {}),
        ("GET", "tables/public/todos/{id}", "", "404", {}),
        ("GET", "rpc/public/add", "?a=1&b=2", "200", {}),
        ("POST", "rpc/public/add", "", "200", {"json": {"a": 1}}),
        ("GET", "rpc/public/my_titles", "?limit=1", "200", {}),
        ("POST", "rpc/public/my_todos", "", "200", {"json": {"word": "z"}}),
        ("POST", "rpc/public/finish", "", "204", {"json": {"todo": 1}}),
    ):
        operation = schema[f"/api/v1/{template}"][method]
        url = f"/api/v1/{template}{path}".replace("{id}", str(todo["id"]))
        answer = await alice.client.request(method, url, **more)
        assert str(answer.status_code) == status, (method, path, answer.text)
        assert status in operation.definition.raw["responses"] or status[0] == "4", (method, template)
        operation.validate_response(answer)
    assert "get" not in described["paths"]["/api/v1/rpc/public/finish"], "it writes"
    assert described["paths"]["/api/v1/rpc/public/add"]["get"]["parameters"][0]["required"] is True
    assert "additionalProperties" in str(described["paths"]["/api/v1/rpc/public/add"]["post"]["requestBody"])

"""Each method on tables and rows, as a signed-in user."""

import asyncpg
import pytest

from .conftest import User

TODOS = "/api/v1/tables/public/todos"
NOTES = "/api/v1/tables/public/notes"
MINIMAL = {"Prefer": "return=minimal"}
pytestmark = pytest.mark.pg16

type Owner = asyncpg.Connection[asyncpg.Record]


async def test_a_row_is_made_read_changed_replaced_and_deleted(alice: User) -> None:
    made = (await alice.client.post(TODOS, json={"title": "milk", "priority": 3})).json()
    assert made["title"] == "milk"
    assert made["user_id"] == alice.id
    row = f"{TODOS}/{made['id']}"

    assert (await alice.client.get(row)).json() == made
    changed = await alice.client.patch(row, json={"done": True})
    assert changed.json() == made | {"done": True}
    replaced = await alice.client.put(row, json={"title": "bread"})
    assert replaced.json()["title"] == "bread"
    assert replaced.json()["done"] is False, "what a PUT leaves out gets its default"
    assert replaced.json()["priority"] is None
    assert (await alice.client.delete(row)).status_code == 204
    gone = await alice.client.get(row)
    assert gone.status_code == 404
    assert gone.json()["code"] == "ROW_NOT_FOUND"
    assert (await alice.client.delete(row)).status_code == 404
    assert (await alice.client.patch(row, json={"done": True})).status_code == 404


async def test_a_put_makes_what_is_not_there_under_its_key(alice: User) -> None:
    answer = await alice.client.put(f"{TODOS}/77", json={"title": "new"})
    assert (answer.status_code, answer.json()["id"]) == (200, 77)
    other = await alice.client.put(f"{TODOS}/77", json={"id": 78, "title": "new"})
    assert other.status_code == 400
    assert "not the id of the address" in other.json()["message"]


async def test_many_rows_are_one_statement(alice: User, owner: Owner) -> None:
    rows = await alice.has("a", "b", "c")
    assert [row["title"] for row in rows] == ["a", "b", "c"]
    answer = await alice.client.post(TODOS, json=[{"title": "d"}, {"title": None}])
    assert answer.status_code == 400
    assert await owner.fetchval("SELECT count(*) FROM todos") == 3, "all or nothing"


async def test_keys_of_several_columns_are_named_with_commas(alice: User) -> None:
    await alice.client.post(NOTES, json=[{"slug": "a,b", "text": "x"}, {"slug": "c", "text": "y", 'odd "name': 4}])

    assert (await alice.client.get(f'{NOTES}/{alice.id},"a,b"')).json()["text"] == "x"
    assert (await alice.client.get(f"{NOTES}/{alice.id},c")).json()['odd "name'] == 4
    wrong = await alice.client.get(f"{NOTES}/{alice.id}")
    assert wrong.status_code == 400
    assert "owner,slug" in wrong.json()["message"]
    slash = await alice.client.put(f"{NOTES}/{alice.id},x%2Fy", json={"text": "z"})
    assert slash.json()["slug"] == "x/y"


async def test_upserts_merge_or_ignore(alice: User) -> None:
    await alice.client.post(TODOS, json={"title": "first", "priority": 1, "done": True})

    merged = await alice.client.post(f"{TODOS}?on_conflict=priority", json={"title": "second", "priority": 1})
    assert (merged.json()["title"], merged.json()["done"]) == ("second", True)
    ignored = await alice.client.post(
        f"{TODOS}?on_conflict=priority",
        json=[{"title": "third", "priority": 1}, {"title": "new", "priority": 2}],
        headers={"Prefer": "resolution=ignore-duplicates"},
    )
    assert [row["title"] for row in ignored.json()] == ["new"]
    by_key = await alice.client.post(
        TODOS, json={"id": merged.json()["id"], "title": "fourth"}, headers={"Prefer": "resolution=merge-duplicates"}
    )
    assert by_key.json()["title"] == "fourth"
    wrong = await alice.client.post(f"{TODOS}?on_conflict=title", json={"title": "x"})
    assert wrong.status_code == 400
    assert "has: id; priority" in wrong.json()["message"]


async def test_collections_change_only_with_a_filter(alice: User, owner: Owner) -> None:
    await alice.has("a", "b", "c")
    for answer in (await alice.client.patch(TODOS, json={"done": True}), await alice.client.delete(TODOS)):
        assert answer.status_code == 400
        assert answer.json()["error"] == "filter_required"
    assert (await alice.client.delete(f"{TODOS}?id=gt.0&limit=1")).status_code == 400, "a limit must not be ignored"

    changed = await alice.client.patch(f"{TODOS}?title=in.(a,b)&select=title,done", json={"done": True})
    assert sorted(row["title"] for row in changed.json()) == ["a", "b"]
    deleted = await alice.client.delete(f"{TODOS}?done=is.true", headers=MINIMAL)
    assert (deleted.status_code, deleted.headers["content-range"]) == (204, "*/2")
    assert await owner.fetch("SELECT title FROM todos") == [("c",)]


async def test_minimal_answers_need_no_right_to_read(alice: User, owner: Owner) -> None:
    await owner.execute(
        "CREATE TABLE box (id integer PRIMARY KEY, text text); ALTER TABLE box ENABLE ROW LEVEL SECURITY;"
        "GRANT INSERT ON box TO authenticated; CREATE POLICY put ON box FOR INSERT TO authenticated WITH CHECK (true)"
    )
    assert (await alice.client.post("/api/v1/tables/box", json={"id": 1})).status_code == 403
    answer = await alice.client.post("/api/v1/tables/box", json=[{"id": 1}, {"id": 2}], headers=MINIMAL)
    assert (answer.status_code, answer.headers["content-range"]) == (204, "*/2")
    assert await owner.fetchval("SELECT count(*) FROM box") == 2


BAD_BODIES = [
    (b"", 400, "invalid_json"),
    (b"{", 400, "invalid_json"),
    (b"\xff", 400, "invalid_json"),
    (b"5", 400, "invalid_json"),
    (b"[]", 400, "invalid_json"),
    (b"[1]", 400, "invalid_json"),
    (b"[" * 100_000, 400, "invalid_json"),
    (b'{"title": NaN}', 400, "invalid_value"),
    (b'{"title": "\\u0000"}', 400, "invalid_value"),
    (b'{"title": "x", "nope": 1}', 400, "unknown_column"),
    (b'{"title": "x", "words": "a"}', 400, "invalid_query"),
    (b'{"title": null}', 400, "invalid_value"),
    (b'{"title": "x", "priority": "many"}', 400, "invalid_value"),
    (b'{"title": "x", "mood": "angry"}', 400, "invalid_value"),
    (b"[{}, {}]", 400, "invalid_query"),
    (b"{}", 400, "invalid_value"),
    (b'{"title": "%s"}' % (b"x" * 200), 400, "invalid_value"),
    (b'{"title": "x", "user_id": "00000000-0000-4000-8000-000000000000"}', 403, "permission_denied"),
    (b'{"title": "%s"}' % (b"x" * 3_000_000), 413, "payload_too_large"),
]


async def test_bad_bodies_are_refused(alice: User) -> None:
    for body, status, code in BAD_BODIES:
        answer = await alice.client.post(TODOS, content=body)
        assert (answer.status_code, answer.json()["error"]) == (status, code), (body[:60], answer.text)


async def test_conflicts_are_409_with_postgresqls_own_words(alice: User) -> None:
    await alice.client.post(TODOS, json={"id": 100, "title": "a", "priority": 1})
    twice = await alice.client.post(TODOS, json={"title": "b", "priority": 1})
    assert twice.status_code == 409
    assert "todos_priority_key" in twice.json()["message"]
    assert "details" not in twice.json(), "under row-level security PostgreSQL does not tell of others' values"
    orphan = await alice.client.post(NOTES, json={"slug": "a", "todo_id": 99})
    assert (orphan.status_code, orphan.json()["code"]) == (409, "CONFLICT")


async def test_views_are_read_and_written_through(alice: User) -> None:
    await alice.has("a", "b")
    await alice.client.patch(f"{TODOS}?title=eq.a", json={"done": True})
    view = "/api/v1/tables/open_todos"
    rows = (await alice.client.get(view)).json()
    assert [row["title"] for row in rows] == ["b"]
    assert (await alice.client.patch(f"/api/v1/tables/public/open_todos/{rows[0]['id']}", json={"title": "c"})).json()[
        "title"
    ] == "c"


async def test_unknown_names_are_404_and_say_what_is_near(alice: User) -> None:
    answer = await alice.client.get("/api/v1/tables/todo")
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown_table")
    assert "Did you mean todos" in answer.json()["message"]
    hidden = await alice.client.get("/api/v1/tables/auth/users")
    assert hidden.status_code == 404
    assert "not exposed" in hidden.json()["message"]
    assert (await alice.client.get("/api/v1/tables/pg_catalog/pg_class")).status_code == 404
    assert (await alice.client.put(TODOS, json={})).status_code == 405


async def test_changed_tables_are_seen(alice: User, owner: Owner) -> None:
    await alice.has("a")
    await owner.execute("ALTER TABLE todos ADD COLUMN colour text DEFAULT 'red'")
    assert (await alice.client.get(f"{TODOS}?limit=1")).json()[0]["colour"] == "red", "prepared before the change"


async def test_no_more_rows_than_allowed(alice: User, app) -> None:
    await alice.has(*"abcdef")
    app.state.settings = app.state.settings.model_copy(update={"rest_max_rows": 2})
    assert len((await alice.client.get(TODOS)).json()) == 2
    assert len((await alice.client.get(f"{TODOS}?limit=5")).json()) == 2
    changed = await alice.client.patch(f"{TODOS}?id=gt.0", json={"done": True})
    assert len(changed.json()) == 2
    assert len((await alice.client.delete(f"{TODOS}?done=is.true")).json()) == 2
    assert (await alice.client.get(TODOS)).json() == [], "what is not shown was changed and deleted all the same"

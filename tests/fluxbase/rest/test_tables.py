"""Each method on tables and rows, as a signed-in user."""

import pytest

from .conftest import User

TODOS = "/api/v1/tables/public/todos"
pytestmark = pytest.mark.pg16


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

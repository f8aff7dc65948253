"""Counted lists that are asked for at once: fewer statements, and to each what a request alone would have got."""

import asyncio

import pytest
from fastapi import FastAPI

from .conftest import User

TODOS = "/api/v1/tables/public/todos"
COUNTED = f"{TODOS}?select=title&order=id&count=exact"
AT_ONCE = 12


async def _counted(user: User) -> tuple[list[str], str]:
    answer = await user.client.get(COUNTED)
    return [row["title"] for row in answer.json()], answer.headers["content-range"]


@pytest.mark.pg16
async def test_two_users_at_once_each_get_their_own(app: FastAPI, alice: User, bob: User) -> None:
    await alice.has("a", "b")
    await bob.has("c")
    before = app.state.resources.database.transactions["authenticated"]
    answers = await asyncio.gather(*(_counted(user) for _ in range(AT_ONCE) for user in (alice, bob)))
    assert answers == [(["a", "b"], "0-1/2"), (["c"], "0-0/1")] * AT_ONCE
    assert app.state.resources.database.transactions["authenticated"] - before < 2 * AT_ONCE


async def test_who_has_written_sees_it_whatever_others_ask_meanwhile(alice: User) -> None:
    async def write_and_count(number: int) -> None:
        title = f"todo {number}"
        await alice.has(title)
        titles, total = await _counted(alice)
        assert title in titles
        assert total.endswith(f"/{len(titles)}")

    await asyncio.gather(*(write_and_count(number) for number in range(AT_ONCE)), *(_counted(alice) for _ in range(20)))


async def test_an_ended_session_is_refused_beside_others_that_live(alice: User, bob: User) -> None:
    await alice.client.post("/api/v1/auth/signout")
    refused, answered = await asyncio.gather(
        asyncio.gather(*(alice.client.get(COUNTED) for _ in range(4))),
        asyncio.gather(*(_counted(bob) for _ in range(4))),
    )
    assert {answer.status_code for answer in refused} == {401}
    assert answered == [([], "*/0")] * 4

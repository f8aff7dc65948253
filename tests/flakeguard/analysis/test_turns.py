"""Who waits for a project's turn is patient, and leaves the connections to others."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from flakeguard.analysis import turns
from flakeguard.analysis.repository import SQL
from flakeguard.analysis.turns import BusyProjectError, turn
from fluxbase.db import Database
from fluxbase.resources import Resources


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LOCK_WAIT", "10ms")
    monkeypatch.setattr(turns, "_PAUSE_SECONDS", 0.01)


async def test_a_turn_comes_however_often_it_was_looked_for(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, looked = resources.database, 0
    real = Database.transaction

    @asynccontextmanager
    async def counted(self: Database, *arguments, **named):
        nonlocal looked
        looked += 1
        async with real(self, *arguments, **named) as connection:
            yield connection

    async def wait_for_turn() -> str:
        async with turn(database, "lock_project", 7) as connection:
            return await connection.fetchval("SHOW lock_timeout")

    async with database.transaction() as other:
        await other.execute(SQL["lock_project"], 7)
        monkeypatch.setattr(Database, "transaction", counted)
        waiting = asyncio.create_task(wait_for_turn())
        async with asyncio.timeout(20):
            while looked < 4:  # noqa: ASYNC110 -- it gives its connection back between looks
                await asyncio.sleep(0.01)
        async with turn(database, "lock_project", 8):
            pass  # another project is not held up
    assert await waiting == "0", "what the turn is for waits for rows as ever"


async def test_a_turn_that_never_comes_is_told(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_LONGEST_WAIT_SECONDS", 0)
    async with resources.database.transaction() as other:
        await other.execute(SQL["lock_project"], 7)
        with pytest.raises(BusyProjectError):
            async with turn(resources.database, "lock_project", 7):
                pytest.fail("it is another's turn")

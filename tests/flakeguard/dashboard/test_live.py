"""Fan-out of changes: to the right project, bounded, and ended on request."""

import asyncio
from datetime import timedelta

import pytest
from fastapi import FastAPI

from flakeguard.analysis.repository import SQL
from flakeguard.dashboard.live import CHANNEL, MAX_WAITING, LiveChanges, event_stream, live_changes
from fluxbase.realtime import BulkChanged, running_realtime


@pytest.fixture
def changes(resources) -> LiveChanges:
    return LiveChanges(resources)


async def test_a_change_reaches_its_project_alone(changes) -> None:
    with changes.subscribe(1) as mine, changes.subscribe(2) as other:
        changes.publish("1:77")
        assert mine.get_nowait() == "77"
        assert other.empty()


async def test_a_list_hears_of_each_of_its_projects(changes, resources) -> None:
    changes.publish("2:5")
    with changes.subscribe(1, 2, seen=resources.now() - timedelta(minutes=1)) as inbox:
        assert inbox.get_nowait() == ""
        changes.publish("1:77")
        changes.publish("3:78")
        changes.publish("2:79")
        changes.publish("")
        assert [inbox.get_nowait() for _ in range(inbox.qsize())] == ["77", "79", ""]
    changes.publish("1:80")
    assert inbox.empty()


async def test_after_a_lost_connection_everybody_looks(changes) -> None:
    with changes.subscribe(1) as one, changes.subscribe(2) as two:
        changes.publish("")
        assert (one.get_nowait(), two.get_nowait()) == ("", "")


async def test_a_slow_page_costs_a_bounded_queue(changes) -> None:
    with changes.subscribe(1) as inbox:
        for run in range(1000):
            changes.publish(f"1:{run}")
        assert inbox.qsize() == MAX_WAITING


async def test_a_page_older_than_the_last_change_is_told_at_once(changes, resources) -> None:
    changes.publish("1:5")
    with changes.subscribe(1, seen=resources.now() - timedelta(minutes=1)) as inbox:
        assert inbox.get_nowait() == ""
    with changes.subscribe(1, seen=resources.now() + timedelta(minutes=1)) as inbox:
        assert inbox.empty()


async def test_closing_ends_streams_even_full_ones(changes) -> None:
    stream = event_stream(changes, [1], None)
    assert (await anext(stream)).startswith(b"retry")
    for run in range(1000):
        changes.publish(f"1:{run}")
    changes.close()
    rest = [chunk async for chunk in stream]
    assert len(rest) <= 2
    assert [chunk async for chunk in event_stream(changes, [1], None)] == [b"retry: 2000\n\n"]


async def test_what_the_database_sends_arrives(resources, owner, settings) -> None:
    app = FastAPI()
    app.state.resources, app.state.settings = resources, settings
    async with running_realtime(app), live_changes(app) as changes:
        with changes.subscribe(3) as inbox, changes.subscribe(4) as other:
            await owner.execute(SQL["notify"], "3:12")
            assert await asyncio.wait_for(inbox.get(), 10) == "12"
            assert other.empty()


async def test_after_a_gap_everybody_looks(changes) -> None:
    with changes.subscribe(1) as inbox:
        changes.hear(BulkChanged(CHANNEL, (), "{}"))
        assert inbox.get_nowait() == ""

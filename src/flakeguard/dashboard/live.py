"""Live pages: one event stream a page, fed by Fluxbase's realtime. A stream only says that something changed.

Streams end after some minutes and browsers open them again: that is when membership is checked anew.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Collection, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime

from fastapi import FastAPI

from fluxbase.realtime import Broadcast, Event, Realtime
from fluxbase.resources import Resources

CHANNEL = "internal:flakeguard"
MAX_WAITING = 32
"""Changes a slow page may have waiting; more are dropped, because one is enough for it to look."""

_HEARTBEAT_SECONDS = 20.0
_BURST_SECONDS = 0.25
LIST_BURST_SECONDS = 2.0
"""A list of projects changes with each of them, and nobody reads twenty rows anew four times a second."""

_STREAM_SECONDS = 600.0
_REMEMBERED_PROJECTS = 10_000

type Inbox = asyncio.Queue[str | None]


class LiveChanges:
    """Hands each change to the pages of its project."""

    def __init__(self, resources: Resources) -> None:
        self._now = resources.now
        self._inboxes: dict[int, set[Inbox]] = {}
        self._changed_at: dict[int, datetime] = {}
        self._closed = False

    def hear(self, event: Event) -> None:
        """Take what the analysis sent as it committed; anything else means that some may have been missed."""
        self.publish(json.loads(event.payload) if isinstance(event, Broadcast) else "")

    def publish(self, payload: str) -> None:
        """Take `<project id>:<run id>`; the empty payload means that any may have been missed."""
        project, _, run = payload.partition(":")
        if not project.isdecimal():
            for inbox in set[Inbox]().union(*self._inboxes.values()):
                _put(inbox, "")
            return
        self._remember(int(project))
        self._tell(int(project), run)

    def _remember(self, project_id: int) -> None:
        self._changed_at.pop(project_id, None)
        self._changed_at[project_id] = self._now()
        if len(self._changed_at) > _REMEMBERED_PROJECTS:
            del self._changed_at[next(iter(self._changed_at))]

    def _tell(self, project_id: int, run: str) -> None:
        for inbox in self._inboxes.get(project_id, ()):
            _put(inbox, run)

    @contextmanager
    def subscribe(self, *project_ids: int, seen: datetime | None = None) -> Generator[Inbox]:
        """An inbox of the projects' changes, from now on; one is in it already when a page of `seen` is out of date."""
        inbox: Inbox = asyncio.Queue(MAX_WAITING)
        changes = [self._changed_at[project_id] for project_id in project_ids if project_id in self._changed_at]
        if seen is not None and changes and max(changes) > seen:
            inbox.put_nowait("")
        if self._closed:
            inbox.put_nowait(None)
        for project_id in project_ids:
            self._inboxes.setdefault(project_id, set()).add(inbox)
        try:
            yield inbox
        finally:
            for project_id in project_ids:
                self._leave(project_id, inbox)

    def _leave(self, project_id: int, inbox: Inbox) -> None:
        self._inboxes[project_id].discard(inbox)
        if not self._inboxes[project_id]:
            del self._inboxes[project_id]

    def close(self) -> None:
        """End every stream, so that a server that waits for its responses can stop."""
        self._closed = True
        for inbox in set[Inbox]().union(*self._inboxes.values()):
            with suppress(asyncio.QueueEmpty):
                while inbox.full():
                    inbox.get_nowait()
            inbox.put_nowait(None)


def _put(inbox: Inbox, run: str) -> None:
    with suppress(asyncio.QueueFull):
        inbox.put_nowait(run)


async def event_stream(
    changes: LiveChanges, project_ids: Collection[int], seen: datetime | None, burst_seconds: float = _BURST_SECONDS
) -> AsyncGenerator[bytes]:
    """The body of a text/event-stream: a `change` event for each burst of changes, comments in between."""
    ends_at = asyncio.get_running_loop().time() + _STREAM_SECONDS
    with changes.subscribe(*project_ids, seen=seen) as inbox:
        yield b"retry: 2000\n\n"
        while asyncio.get_running_loop().time() < ends_at:
            try:
                run = await asyncio.wait_for(inbox.get(), _HEARTBEAT_SECONDS)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if run is None:
                return
            yield f"event: change\ndata: {run}\n\n".encode()
            await asyncio.sleep(burst_seconds)
            _merge_waiting(inbox)


def _merge_waiting(inbox: Inbox) -> None:
    """Leave one of the changes that wait: many uploads at once are one refresh, not many. The end stays the end."""
    waiting: list[str | None] = []
    while not inbox.empty():
        waiting.append(inbox.get_nowait())
    if waiting:
        inbox.put_nowait(None if None in waiting else waiting[-1])


@asynccontextmanager
async def live_changes(app: FastAPI) -> AsyncGenerator[LiveChanges]:
    """Listen while the application runs, on its realtime, which must be running. Kept at `app.state.live`."""
    changes = LiveChanges(app.state.resources)
    app.state.live = changes
    realtime: Realtime = app.state.realtime
    with realtime.hub.listen(CHANNEL, changes.hear):
        try:
            yield changes
        finally:
            changes.close()

"""Who is in which channel, over all server processes: each tells the others of its own people, nobody stores it.

A process counts its changes. It beats with that number; whoever has another number for it asks for the whole, so a
message that was lost heals within a beat. The people of a process that is not heard for three beats have left.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fluxbase.errors import InvalidRequestError
from fluxbase.realtime.errors import as_json
from fluxbase.realtime.events import PresenceDiff, Presences, PresenceState

BEAT_SECONDS = 5.0
LOST_AFTER_SECONDS = 3 * BEAT_SECONDS
MAX_KEY_CHARACTERS = 200
MAX_PLACES = 100
"""Of one connection."""

type Place = tuple[str, str, str]
"""Channel, key, and the id of who tracks it: one person may be there with several tabs."""


@dataclass(slots=True)
class _Process:
    heard_at: float
    version: int = -1
    entries: dict[Place, str] = field(default_factory=dict[Place, str])


@dataclass(frozen=True, slots=True)
class Change:
    """What to tell the members here, and what to tell the other processes (nothing when nothing changed)."""

    diffs: Sequence[PresenceDiff]
    message: Mapping[str, Any] | None


class Presence:
    """The state of one process, fed by its own sockets and by the bus. Pure but for the clock it is given."""

    def __init__(self, process: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._process = process
        self._clock = clock
        self._version = 0
        self._own: dict[Place, str] = {}
        self._places: dict[str, set[Place]] = {}
        self._others: dict[str, _Process] = {}

    def state(self, channel: str) -> PresenceState:
        """Everybody in a channel."""
        found: dict[str, list[str]] = {}
        for entries in (self._own, *(one.entries for one in self._others.values())):
            for (there, key, _), state in entries.items():
                if there == channel:
                    found.setdefault(key, []).append(state)
        return PresenceState(channel, {key: tuple(states) for key, states in found.items()})

    def track(self, channel: str, key: str, who: str, state: str) -> Change:
        """Somebody here is in a channel, with `state` (JSON text), or has another state now.

        Raises:
            InvalidRequestError: The key is too long, or they are in as many places as one may be.
        """
        place, mine = (channel, key, who), self._places.get(who, set())
        if len(key) > MAX_KEY_CHARACTERS:
            raise InvalidRequestError(f"A key has at most {MAX_KEY_CHARACTERS} characters.")
        if len(mine) >= MAX_PLACES and place not in mine:
            raise InvalidRequestError(f"A connection tracks at most {MAX_PLACES} presences.")
        return self._set({place: state}, ())

    def identify(self, who: str, user_id: str | None) -> Change:
        """Somebody here is another user now: what they track says so."""
        mine = self._places.get(who, ())
        return self._set({place: state_text(json.loads(self._own[place])["state"], user_id) for place in mine}, ())

    def untrack(self, who: str, channel: str | None = None, key: str | None = None) -> Change:
        """Somebody here is no longer there: under `key` or any, in `channel` or any."""
        mine = self._places.get(who, ())
        return self._set({}, [one for one in mine if channel in (None, one[0]) and key in (None, one[1])])

    def _set(self, joins: Mapping[Place, str], leaves: Iterable[Place]) -> Change:
        left = {place: self._own.pop(place) for place in leaves}
        for place in left:
            self._places[place[2]].discard(place)
            if not self._places[place[2]]:
                del self._places[place[2]]
        came = {place: state for place, state in joins.items() if self._own.get(place) != state}
        left |= {place: self._own[place] for place in came if place in self._own}
        self._own.update(came)
        for place in came:
            self._places.setdefault(place[2], set()).add(place)
        if not left and not came:
            return Change((), None)
        self._version += 1
        message = {"kind": "presence_change", "version": self._version, "joins": _rows(came), "leaves": _rows(left)}
        return Change(diffs(came, left), message)

    def beat(self) -> dict[str, Any]:
        """What to tell the others every `BEAT_SECONDS`."""
        return {"kind": "presence_beat", "version": self._version}

    def whole(self) -> dict[str, Any]:
        """What to tell them when they ask."""
        return {
            "kind": "presence_whole",
            "version": self._version,
            "entries": _rows(self._own),
        }

    def hear_beat(self, process: str, version: int) -> bool:
        """A process lives; whether it must be asked for the whole."""
        one = self._others.setdefault(process, _Process(self._clock()))
        one.heard_at = self._clock()
        return one.version != version

    def hear_change(
        self, process: str, version: int, joins: Iterable[Sequence[str]], leaves: Iterable[Sequence[str]]
    ) -> Sequence[PresenceDiff] | None:
        """What changed in a process; None when an earlier change was missed, and the whole must be asked for."""
        one = self._others.setdefault(process, _Process(self._clock()))
        one.heard_at = self._clock()
        if one.version != version - 1:
            return None
        came, left = _entries(joins), _entries(leaves)
        one.version = version
        for place in left:
            one.entries.pop(place, None)
        one.entries.update(came)
        return diffs(came, left)

    def hear_whole(self, process: str, version: int, entries: Iterable[Sequence[str]]) -> Sequence[PresenceDiff]:
        """What a process has now, instead of what it had."""
        one = self._others.setdefault(process, _Process(self._clock()))
        one.heard_at, one.version = self._clock(), version
        now = _entries(entries)
        came = {place: state for place, state in now.items() if one.entries.get(place) != state}
        left = {place: state for place, state in one.entries.items() if now.get(place) != state}
        one.entries = now
        return diffs(came, left)

    def hear_end(self, process: str) -> Sequence[PresenceDiff]:
        """A process has ended."""
        one = self._others.pop(process, None)
        return diffs({}, one.entries) if one is not None else []

    def forgive(self) -> None:
        """Nobody could be heard for a while, which is no sign that they are gone."""
        for one in self._others.values():
            one.heard_at = self._clock()

    def drop_silent(self) -> list[PresenceDiff]:
        """The people of processes that were not heard for too long."""
        silent = [name for name, one in self._others.items() if self._clock() - one.heard_at > LOST_AFTER_SECONDS]
        return [diff for name in silent for diff in self.hear_end(name)]


def _rows(entries: Mapping[Place, str]) -> list[list[str]]:
    return [[*place, state] for place, state in entries.items()]


def _entries(rows: Iterable[Sequence[str]]) -> dict[Place, str]:
    return {(channel, key, who): state for channel, key, who, state in rows}


def diffs(came: Mapping[Place, str], left: Mapping[Place, str]) -> list[PresenceDiff]:
    """One event for each channel that is concerned."""
    channels = dict.fromkeys(place[0] for place in (*came, *left))
    return [PresenceDiff(channel, _by_key(channel, came), _by_key(channel, left)) for channel in channels]


def _by_key(channel: str, entries: Mapping[Place, str]) -> Presences:
    found: dict[str, tuple[str, ...]] = {}
    for (there, key, _), state in entries.items():
        if there == channel:
            found[key] = (*found.get(key, ()), state)
    return found


def state_text(state: Any, user_id: str | None) -> str:
    """A tracked state as JSON text, with who it really is: the key is the client's to choose, this is not."""
    return as_json({"state": state, "user_id": user_id})

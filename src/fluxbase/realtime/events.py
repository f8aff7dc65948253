"""What travels: changes as the database recorded them, and the events that listeners get. No protocol is known here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from typing import Any


class ChangeType(StrEnum):
    """The kinds of row in `realtime.changes`."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    BULK = "BULK"
    TRUNCATE = "TRUNCATE"
    BROADCAST = "BROADCAST"


ROW_CHANGES = frozenset((ChangeType.INSERT, ChangeType.UPDATE, ChangeType.DELETE))


_LONGEST_INT = 1_000


class Version:
    """One version of a row: the JSON text that the trigger wrote, decoded when somebody asks."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def values(self) -> Mapping[str, Any]:
        """Columns by name. Fractions are Decimals: nothing of a numeric is lost; so are numbers too long for an int."""
        return json.loads(self.text, parse_float=Decimal, parse_int=_whole_number)

    @cached_property
    def digest(self) -> bytes:
        """The same for the same content."""
        return blake2b(self.text.encode(), digest_size=16).digest()


def _whole_number(text: str) -> int | Decimal:
    # Python refuses to read integers of more than 4,300 digits; a jsonb may hold them.
    return int(text) if len(text) <= _LONGEST_INT else Decimal(text)


@dataclass(frozen=True, slots=True)
class Change:
    """A row of `realtime.changes`; `record` and `old_record` are there as the type has them."""

    id: int
    topic: str
    type: ChangeType
    at: datetime
    record: Version | None = None
    old_record: Version | None = None
    details: str | None = None


@dataclass(frozen=True, slots=True)
class RowChanged:
    """A row that the listener may see was changed. `payload` is JSON text, shared by equals."""

    channel: str
    subscriptions: tuple[str, ...]
    payload: str


@dataclass(frozen=True, slots=True)
class BulkChanged:
    """More happened to a table than is told row by row: read it again. `payload` is JSON text."""

    channel: str
    subscriptions: tuple[str, ...]
    payload: str


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Somebody sent `payload` (JSON text) to a channel."""

    channel: str
    event: str
    payload: str


type Presences = Mapping[str, tuple[str, ...]]
"""Key → the states tracked under it, each a JSON text."""


@dataclass(frozen=True, slots=True)
class PresenceState:
    """Everybody who is present in a channel."""

    channel: str
    state: Presences


@dataclass(frozen=True, slots=True)
class PresenceDiff:
    """Who came to a channel and who left."""

    channel: str
    joins: Presences
    leaves: Presences


@dataclass(frozen=True, slots=True)
class Expelled:
    """The listener may no longer be in the channel."""

    channel: str
    reason: str


type Event = RowChanged | BulkChanged | Broadcast | PresenceState | PresenceDiff | Expelled

"""Fluxbase's own wire protocol: JSON objects with a `type`. Text to requests, events to text; no input, no output."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, assert_never

from fluxbase.realtime.errors import InvalidMessageError, as_json
from fluxbase.realtime.events import (
    Broadcast,
    BulkChanged,
    Event,
    Expelled,
    PresenceDiff,
    Presences,
    PresenceState,
    RowChanged,
)
from fluxbase.realtime.subscribing import TableRequest

HEARTBEAT = '{"type":"heartbeat"}'
_EVENTS = frozenset(("INSERT", "UPDATE", "DELETE"))


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Join a channel, and hear of a table through it when one is named. `own` asks for one's own broadcasts too."""

    channel: str
    table: TableRequest | None
    own: bool


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Leave a channel, or end one subscription of it."""

    channel: str
    subscription: str | None


@dataclass(frozen=True, slots=True)
class SendBroadcast:
    """Send to a channel; `payload` is JSON text."""

    channel: str
    event: str
    payload: str


@dataclass(frozen=True, slots=True)
class Track:
    """Be present in a channel under `key` (None: one's own), with `state`."""

    channel: str
    key: str | None
    state: Any


@dataclass(frozen=True, slots=True)
class Untrack:
    """Be present no longer."""

    channel: str
    key: str | None


@dataclass(frozen=True, slots=True)
class Renew:
    """A new access token."""

    token: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The client lives; it gets one back."""


type Request = Subscribe | Unsubscribe | SendBroadcast | Track | Untrack | Renew | Heartbeat


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request with `ref`, which the client chose and gets back with the answer."""

    request: Request
    ref: str | int | None = None


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of a message, taken out with their types."""

    found: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def text(self, name: str, *, needed: bool = True) -> str:
        value = self.found.get(name)
        if value is None and not needed:
            return ""
        if not isinstance(value, str) or not value:
            raise InvalidMessageError(f"`{name}` must be a text.")
        return value

    def inner(self, name: str) -> "_Fields":
        value = self.found.get(name)
        if value is not None and not isinstance(value, dict):
            raise InvalidMessageError(f"`{name}` must be an object.")
        return _Fields(value or {})  # pyright: ignore[reportUnknownArgumentType] -- JSON

    def optional(self, name: str) -> str | None:
        return self.text(name, needed=False) or None


def parse(text: str) -> Envelope:
    """Read what a client sent.

    Raises:
        InvalidMessageError: It is none of the protocol's messages; the text says what is wrong.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidMessageError("The message is not JSON.") from error
    except RecursionError as error:
        raise InvalidMessageError("The message is nested too deeply.") from error
    if not isinstance(found, dict):
        raise InvalidMessageError("A message is a JSON object with a `type`.")
    return Envelope(_request(_Fields(found)), ref_of(found))  # pyright: ignore[reportUnknownArgumentType] -- JSON


def ref_of(found: Any) -> str | int | None:
    """The `ref` of a message, when it is one."""
    ref = found.get("ref") if isinstance(found, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] -- JSON
    return ref if isinstance(ref, str | int) else None


def _request(fields: _Fields) -> Request:
    match fields.text("type"):
        case "subscribe":
            config = fields.inner("config")
            return Subscribe(fields.text("channel"), _table(config), config.found.get("self") is True)
        case "unsubscribe":
            return Unsubscribe(fields.text("channel"), fields.optional("subscription_id"))
        case "broadcast":
            return SendBroadcast(fields.text("channel"), fields.text("event"), as_json(fields.found.get("payload")))
        case "presence":
            return _presence(fields)
        case "access_token":
            inner = fields.inner("payload")
            return Renew(fields.optional("token") or inner.optional("token") or inner.text("access_token"))
        case "heartbeat":
            return Heartbeat()
        case other:
            raise InvalidMessageError(f"There is no message of the type {other[:50]!r}.")


def _table(config: _Fields) -> TableRequest | None:
    if config.found.get("table") is None:
        return None
    event = config.optional("event") or "*"
    events = _EVENTS if event == "*" else frozenset(part.strip().upper() for part in event.split(","))
    if not events <= _EVENTS:
        raise InvalidMessageError("`event` is INSERT, UPDATE, DELETE or *; several are separated by commas.")
    return TableRequest(config.optional("schema") or "public", config.text("table"), events, config.optional("filter"))


def _presence(fields: _Fields) -> Request:
    payload = fields.inner("payload")
    key = payload.optional("key")
    match payload.text("event"):
        case "track":
            return Track(fields.text("channel"), key, payload.found.get("state"))
        case "untrack":
            return Untrack(fields.text("channel"), key)
        case _:
            raise InvalidMessageError("`payload.event` of presence is track or untrack.")


def ack(ref: str | int | None, channel: str | None = None, payload: Mapping[str, Any] | None = None) -> str:
    """The answer to a request that was done."""
    message: dict[str, Any] = {"type": "ack", "payload": payload or {}}
    return json.dumps(message | _unless_none(channel=channel, ref=ref))


def error(code: str, message: str, ref: str | int | None = None, channel: str | None = None) -> str:
    """The answer to a request that was not, or what comes before the connection closes."""
    return json.dumps(
        {"type": "error", "payload": {"code": code, "message": message}} | _unless_none(channel=channel, ref=ref)
    )


def _unless_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


class Encoder:
    """`encode`, once for an event that goes to many members one after another."""

    def __init__(self) -> None:
        self._event: Event | None = None
        self._text = ""

    def __call__(self, event: Event) -> str:
        """The event as the client gets it."""
        if event is not self._event:
            self._event, self._text = event, encode(event)
        return self._text


def encode(event: Event) -> str:
    """An event as the client gets it."""
    match event:
        case RowChanged(channel, subscriptions, payload):
            return _message("postgres_changes", channel, payload, subscriptions)
        case BulkChanged(channel, subscriptions, payload):
            return _message("bulk", channel, payload, subscriptions)
        case Broadcast(channel, name, payload):
            return (
                f'{{"type":"broadcast","channel":{json.dumps(channel)},"event":{json.dumps(name)},"payload":{payload}}}'
            )
        case PresenceState(channel, state):
            return _message("presence", channel, f'{{"event":"sync","state":{_presences(state)}}}')
        case PresenceDiff(channel, joins, leaves):
            inner = f'{{"event":"diff","joins":{_presences(joins)},"leaves":{_presences(leaves)}}}'
            return _message("presence", channel, inner)
        case Expelled(channel, reason):
            return error("channel_refused", reason, channel=channel)
        case _:
            assert_never(event)


def _message(kind: str, channel: str, payload: str, subscriptions: tuple[str, ...] = ()) -> str:
    ids = f',"subscription_ids":{json.dumps(subscriptions)}' if subscriptions else ""
    return f'{{"type":"{kind}","channel":{json.dumps(channel)}{ids},"payload":{payload}}}'


def _presences(some: Presences) -> str:
    return f"{{{','.join(f'{json.dumps(key)}:[{",".join(states)}]' for key, states in some.items())}}}"

"""Reading a payload: what is there has the right type, what must be there is there. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_LARGEST_BIGINT = 2**63 - 1

type Payload = Mapping[str, Any]


class MalformedPayloadError(ValueError):
    """The payload lacks something that its event always has."""


def part(payload: Payload, name: str) -> Payload:
    """An object of the payload.

    Raises:
        MalformedPayloadError: It is missing.
    """
    found = optional_part(payload, name)
    if found is None:
        raise MalformedPayloadError(f"the payload has no object {name}")
    return found


def optional_part(payload: Payload, name: str) -> Payload | None:
    """An object of the payload, None where there is none."""
    found = payload.get(name)
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType] -- JSON


def parts(payload: Payload, name: str) -> tuple[Payload, ...]:
    """The objects of a list; none where there is no list."""
    found = payload.get(name)
    items: list[Any] = found if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType] -- JSON
    return tuple(item for item in items if isinstance(item, dict))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- JSON


def number(payload: Payload, name: str) -> int:
    """A number that PostgreSQL can hold.

    Raises:
        MalformedPayloadError: It is missing.
    """
    found = optional_number(payload, name)
    if found is None:
        raise MalformedPayloadError(f"the payload has no number {name}")
    return found


def optional_number(payload: Payload, name: str) -> int | None:
    """A number, None where there is none."""
    found = payload.get(name)
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= _LARGEST_BIGINT:
        return None
    return found


def text(payload: Payload, name: str) -> str:
    """A text that PostgreSQL can hold.

    Raises:
        MalformedPayloadError: It is missing or empty.
    """
    found = optional_text(payload, name)
    if found is None:
        raise MalformedPayloadError(f"the payload has no text {name}")
    return found


def optional_text(payload: Payload, name: str) -> str | None:
    """A text, None where there is none or an empty one."""
    found = payload.get(name)
    if not isinstance(found, str):
        return None
    # Neither NUL nor half a surrogate pair can be stored.
    return found.replace("\0", "").encode("utf-8", "replace").decode() or None


def optional_time(payload: Payload, name: str) -> datetime | None:
    """A time with its zone, None where there is none."""
    try:
        found = datetime.fromisoformat(optional_text(payload, name) or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def flag(payload: Payload, name: str) -> bool | None:
    """A boolean, None where there is none."""
    found = payload.get(name)
    return found if isinstance(found, bool) else None

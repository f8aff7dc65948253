"""From a request's path, headers and body to what is asked: names, preferences, JSON."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from starlette.types import Receive

from fluxbase.rest.catalog import Table
from fluxbase.rest.errors import InvalidBodyError, InvalidQueryError, UnknownColumnError
from fluxbase.rest.parser import split_list, unquoted
from fluxbase.rest.query import Condition, Conflict, Group, Operator, Path

_FALLBACK_KEY = "id"
_NUMBERS_AS_WRITTEN = json.JSONDecoder(parse_int=str, parse_float=str)  # making one costs more than reading a row


class Body(NamedTuple):
    """A JSON body: its text, which PostgreSQL reads, and its keys, which the compiler checks."""

    text: str
    columns: tuple[str, ...]
    many: bool


class Preferences(NamedTuple):
    """What the header `Prefer` asks for."""

    returning: bool = True
    conflict: Conflict | None = None


def preferences_of(header: str) -> Preferences:
    """`return=minimal`, `resolution=merge-duplicates`, `resolution=ignore-duplicates`; other words are not ours."""
    if not header:
        return Preferences()
    words = {word.strip() for word in header.replace(";", ",").split(",")}
    conflict = None
    if "resolution=ignore-duplicates" in words:
        conflict = Conflict.IGNORE
    elif "resolution=merge-duplicates" in words:
        conflict = Conflict.MERGE
    return Preferences(returning="return=minimal" not in words, conflict=conflict)


async def read_body(receive: Receive) -> bytes:
    """The whole body; the limit of the server's middleware bounds it.

    Raises:
        InvalidBodyError: The client went away before its end.
    """
    message = await receive()
    chunks: list[bytes] = [message.get("body", b"")]
    while message.get("more_body", False):
        message = await receive()
        chunks.append(message.get("body", b""))
    if message["type"] != "http.request":
        raise InvalidBodyError("The body ended before it was complete.")
    return b"".join(chunks)  # adding each to those before would copy a body as often as it has pieces


def parse_json(raw: bytes) -> tuple[str, Any]:
    """A body's text and what it says, with numbers as they are written: only PostgreSQL knows how many digits fit.

    Raises:
        InvalidBodyError: 400.
    """
    try:
        text = raw.decode()
        return text, _NUMBERS_AS_WRITTEN.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidBodyError("The body is not valid JSON.") from error


def rows_of(raw: bytes) -> Body:
    """Rows to insert: an object, or an array of objects.

    Raises:
        InvalidBodyError: 400.
    """
    text, value = parse_json(raw)
    if isinstance(value, dict):
        return Body(text, tuple(cast("dict[str, Any]", value)), many=False)
    rows = cast("list[Any]", value) if isinstance(value, list) else []
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InvalidBodyError("The body is a JSON object, or a non-empty array of objects.")
    return Body(text, tuple(dict.fromkeys(key for row in rows for key in row)), many=True)


def object_of(raw: bytes) -> tuple[str, dict[str, Any]]:
    """A body that must be one object.

    Raises:
        InvalidBodyError: 400.
    """
    text, value = parse_json(raw)
    if not isinstance(value, dict):
        raise InvalidBodyError("The body is a JSON object.")
    return text, cast("dict[str, Any]", value)


def key_of(table: Table, identifier: str) -> Mapping[str, str]:
    """The values of the primary key that a path names: `7`, or `7,ada` for a key of two columns, in its order.

    Raises:
        InvalidQueryError: 400: too few or too many values.
        UnknownColumnError: 400: nothing identifies a row of this table or view.
    """
    columns = table.primary_key or ((_FALLBACK_KEY,) if _FALLBACK_KEY in table.by_name else ())
    if not columns:
        raise UnknownColumnError(f"{table.name} has no primary key and no column id: name rows by a filter.")
    if len(columns) == 1:
        return {columns[0]: identifier}
    values = [unquoted(part) for part in split_list(identifier)]
    if len(values) != len(columns):
        raise InvalidQueryError(f"A row of {table.name} is named by {','.join(columns)}, with commas between.")
    return dict(zip(columns, values, strict=True))


def where_key(key: Mapping[str, str]) -> Group:
    """The condition that a row has this key."""
    return Group(tuple(Condition(Path(name), Operator.EQ, value) for name, value in key.items()))


def with_key(text: str, values: dict[str, Any], key: Mapping[str, str]) -> Body:
    """A whole row whose key is the path's; `text` is the object that says `values`.

    Raises:
        InvalidBodyError: 400: the body names another key.
    """
    for name, value in key.items():
        if name in values and str(values[name]) != value:
            raise InvalidBodyError(f"{name} in the body is not the {name} of the address.")
    # Appended, not written anew: the text's own numbers stay as they are. Of two equal keys PostgreSQL takes the last.
    begun = text.rstrip()[:-1] + (", " if values else "")
    return Body(begun + json.dumps(dict(key))[1:], tuple({**values, **key}), many=False)

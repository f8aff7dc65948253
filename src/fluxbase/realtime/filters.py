"""Filters of subscriptions: `column=operator.value`, compared as the column's type compares.

Kinds of column: numbers as numbers, times as times, booleans, uuids, and everything else as text (documents as jsonb
is written). A NULL matches nothing but `is.null`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any
from uuid import UUID

from fluxbase.realtime.errors import InvalidFilterError
from fluxbase.realtime.json_text import json_text
from fluxbase.realtime.like import parse_like


class Kind(StrEnum):
    """How values of a column compare."""

    NUMBER = "number"
    TIME = "time"
    BOOLEAN = "boolean"
    UUID = "uuid"
    TEXT = "text"


_KINDS = {
    **dict.fromkeys(("int2", "int4", "int8", "float4", "float8", "numeric", "oid"), Kind.NUMBER),
    **dict.fromkeys(("timestamptz", "timestamp", "date"), Kind.TIME),
    "bool": Kind.BOOLEAN,
    "uuid": Kind.UUID,
}


def kind_of(type_name: str) -> Kind:
    """The kind of a PostgreSQL type, by its name in pg_type."""
    return _KINDS.get(type_name, Kind.TEXT)


type Comparable = Any

_COMPARE: Mapping[str, Callable[[Comparable, Comparable], bool]] = {
    "eq": lambda one, other: one == other,
    "neq": lambda one, other: one != other,
    "gt": lambda one, other: one > other,
    "gte": lambda one, other: one >= other,
    "lt": lambda one, other: one < other,
    "lte": lambda one, other: one <= other,
    "in": lambda one, others: one in others,
}
_IS = {"null": None, "true": True, "false": False}
_SHAPE = re.compile(r"([^=]+)=([a-z]+)\.(.*)", re.DOTALL)
_LIST_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,"]*))\s*(?:,|$)', re.DOTALL)
MAX_FILTER_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one column. `value` is a comparable, a set of them (`in`), a pattern, or what `is` names."""

    column: str
    kind: Kind
    operator: str
    value: Any

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a row passes."""
        found = record.get(self.column)
        if self.operator == "is":
            return found is self.value
        if found is None:
            return False
        if self.operator in ("like", "ilike"):
            return self.value.matches(found if isinstance(found, str) else _as_text(found))
        value = comparable(self.kind, found)
        return value is not None and _COMPARE[self.operator](value, self.value)


def parse_filter(text: str, columns: Mapping[str, Kind]) -> Filter:
    """Read a filter on one of `columns`.

    Raises:
        InvalidFilterError: It has another shape, another column, or a value that the column cannot have.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None or len(text) > MAX_FILTER_CHARACTERS:
        raise InvalidFilterError("A filter is column=operator.value, such as status=eq.open.")
    column, operator, value = shape.groups()
    if column not in columns:
        raise InvalidFilterError(f"There is no column {column!r} that you may read.")
    return Filter(column, columns[column], operator, _value(operator, value, columns[column]))


def _value(operator: str, value: str, kind: Kind) -> Any:
    match operator:
        case "is":
            if value.lower() not in _IS:
                raise InvalidFilterError("`is` takes null, true or false.")
            return _IS[value.lower()]
        case "in":
            return frozenset(_typed(kind, item) for item in _items(value))
        case "like" | "ilike":
            return parse_like(value, ignore_case=operator == "ilike")
        case _ if operator in _COMPARE:
            return _typed(kind, value)
        case _:
            raise InvalidFilterError(f"{operator!r} is none of eq, neq, gt, gte, lt, lte, like, ilike, is, in.")


def _items(value: str) -> list[str]:
    if not (value.startswith("(") and value.endswith(")")):
        raise InvalidFilterError("`in` takes a list in parentheses: status=in.(open,closed).")
    inner, items, at = value[1:-1], list[str](), 0
    while at < len(inner):
        found = _LIST_ITEM.match(inner, at)
        if found is None or found.end() == at:
            raise InvalidFilterError("The list of `in` cannot be read: quote values with commas or quotes.")
        quoted, plain = found.groups()
        items.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain.strip())
        at = found.end()
    return items


def _typed(kind: Kind, text: str) -> Comparable:
    value = comparable(kind, text)
    if value is None:
        raise InvalidFilterError(f"{text[:80]!r} is no {kind.value}.")
    return value


def comparable(kind: Kind, value: Any) -> Comparable | None:
    """A value of a record, or of a filter, in the form in which its kind compares; None when it cannot be."""
    try:
        match kind:
            case Kind.NUMBER:
                number = Decimal(value) if isinstance(value, str) else value
                return None if isinstance(number, Decimal) and number.is_nan() else number
            case Kind.TIME:
                return _moment(value)
            case Kind.BOOLEAN:
                return value if isinstance(value, bool) else {"true": True, "false": False}.get(value.lower())
            case Kind.UUID:
                return str(UUID(value))
            case Kind.TEXT:
                return value if isinstance(value, str) else _as_text(value)
    except (ValueError, InvalidOperation, AttributeError, TypeError):
        return None


def _as_text(value: object) -> str:
    return json_text(value, comma=", ", colon=": ")  # as PostgreSQL writes jsonb


def _moment(value: str) -> datetime:
    # Times without a zone are compared as if of UTC, on both sides.
    moment = datetime.fromisoformat(value) if len(value) > len("2026-01-01") else _midnight(date.fromisoformat(value))
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)

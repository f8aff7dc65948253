"""A statement, and the values that are collected on the way to it."""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from fluxbase.rest.compiler.planning import PlannedFor


class Statement(NamedTuple):
    """SQL with one parameter `$1`, an array of text, and its elements.

    Attributes:
        sql: The text.
        values: The elements.
        planned_for: Who may share its plan.
        calls_function: It calls a function of the operator's.
        costly: It reads far more than it answers, so those who ask it at the same time share the answer.
    """

    sql: str
    values: tuple[str, ...]
    planned_for: PlannedFor = PlannedFor.REQUEST
    calls_function: bool = False
    costly: bool = False


class Values:
    """The elements of the parameter so far. Each method takes one more, and returns the SQL that stands for it."""

    def __init__(self) -> None:
        self._values: list[str] = []

    def taken(self) -> tuple[str, ...]:
        """The elements in their order."""
        return tuple(self._values)

    def text(self, value: str) -> str:
        """A text."""
        self._values.append(value)
        return f"($1::pg_catalog.text[])[{len(self._values)}]"

    def texts(self, values: Iterable[str]) -> str:
        """Texts, as one array."""
        return f"{self.text(array_literal(values))}::pg_catalog.text[]"

    def number(self, value: int) -> str:
        """A number of rows."""
        return f"{self.text(str(value))}::bigint"

    def position(self, value: int) -> str:
        """A position in a JSON array."""
        return f"{self.text(str(value))}::integer"


def array_literal(values: Iterable[str]) -> str:
    """Texts as PostgreSQL writes an array of them, each one quoted."""
    return "{" + ",".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values) + "}"


# As the grammar has them, which are always PostgreSQL's own: no schema may stand before them.
_OF_THE_GRAMMAR = frozenset((
    "bigint", "bit varying", "boolean", "character varying", "double precision", "integer", "real", "smallint",
    "time with time zone", "time without time zone", "timestamp with time zone", "timestamp without time zone",
))  # fmt: skip


@cache
def typed(name: str) -> str:
    """A type of the catalog (`Column.type`) that nobody else's can stand for, whatever the search path is."""
    if "." in name or name.removesuffix("[]") in _OF_THE_GRAMMAR:
        return name
    return f"pg_catalog.{name}"


@cache
def quoted(name: str) -> str:
    """An identifier of the catalog, as SQL takes it whatever letters it has."""
    return '"' + name.replace('"', '""') + '"'

"""The abstract query: what a request asks of a table or function, whatever dialect it was written in. Pure data.

Names in it are still the client's words; only the compiler, which has the catalog, knows whether they exist. Where
a request makes many they are named tuples, which take half the time of frozen dataclasses.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Operator(StrEnum):
    """How a column is compared; the values are the words of the dialect, and of PostgREST's."""

    EQ = "eq"
    NEQ = "neq"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    LIKE = "like"
    ILIKE = "ilike"
    IN = "in"
    IS = "is"
    CONTAINS = "cs"
    CONTAINED = "cd"
    OVERLAPS = "ov"
    FTS = "fts"
    PLAIN_FTS = "plfts"
    PHRASE_FTS = "phfts"
    WEB_FTS = "wfts"
    ADJACENT = "adj"
    STRICTLY_LEFT = "sl"
    STRICTLY_RIGHT = "sr"
    NOT_RIGHT_OF = "nxr"
    NOT_LEFT_OF = "nxl"


FULL_TEXT = frozenset((Operator.FTS, Operator.PLAIN_FTS, Operator.PHRASE_FTS, Operator.WEB_FTS))


class Path(NamedTuple):
    """A column, or a place inside its JSON: `data->items->0->>name`.

    Attributes:
        column: The column's name.
        steps: Keys (text) and positions (numbers) to go down by.
        as_text: Whether the last step is `->>`.
    """

    column: str
    steps: tuple[str | int, ...] = ()
    as_text: bool = False


class Field(NamedTuple):
    """One thing to return: a path, perhaps cast, under a name."""

    path: Path
    cast: str | None = None
    alias: str | None = None

    @property
    def name(self) -> str:
        """The key in the result: the alias, else the last key of the path, else the column."""
        if self.alias is not None:
            return self.alias
        if not self.path.steps:
            return self.path.column
        keys = [step for step in self.path.steps if isinstance(step, str)]
        return keys[-1] if keys else self.path.column


class Condition(NamedTuple):
    """One comparison. `value` is a list for `in`; `language` is the full-text configuration."""

    path: Path
    operator: Operator
    value: str | tuple[str, ...]
    negated: bool = False
    language: str | None = None


class Group(NamedTuple):
    """Conditions of which all, or any, must hold."""

    members: tuple["Condition | Group", ...] = ()
    any: bool = False
    negated: bool = False

    def __bool__(self) -> bool:
        return bool(self.members)


NO_CONDITION = Group()


class Order(NamedTuple):
    """One key to sort by; `nulls_first` None is PostgreSQL's default (last, or first when descending)."""

    path: Path
    descending: bool = False
    nulls_first: bool | None = None


class Selection(NamedTuple):
    """What to return of each row: fields (none: all columns), and related rows as embedded arrays or objects."""

    fields: tuple[Field, ...] = ()
    embeds: tuple["Embed", ...] = ()


@dataclass(frozen=True, slots=True)
class Embed:
    """Related rows inside a row, by the foreign key between the two tables.

    Attributes:
        relation: The other table.
        alias: The key in the result; the relation's name when None.
        hint: The foreign key's name, or a column of it, where several lead to the other table.
        query: What to read of it.
    """

    relation: str
    query: "Read"
    alias: str | None = None
    hint: str | None = None


ALL_COLUMNS = Selection()


class Read(NamedTuple):
    """Rows of a table; `total` asks how many there are without the limit."""

    selection: Selection = ALL_COLUMNS
    where: Group = NO_CONDITION
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    total: bool = False


class Conflict(StrEnum):
    """What an insert does with a row whose unique key exists."""

    MERGE = "merge"
    IGNORE = "ignore"


class Insert(NamedTuple):
    """New rows from a JSON text: an object, or an array of objects.

    Attributes:
        body: The JSON, as it came.
        columns: Every key that occurs in it; empty inserts one row of defaults.
        many: Whether `body` is an array.
        conflict: What to do with rows that exist; None refuses them.
        conflict_columns: The unique key that decides; the primary key when empty.
        whole_row: Columns that `columns` lacks are set to their defaults too when a row is merged.
        returning: Whether the rows come back.
    """

    body: str
    columns: tuple[str, ...]
    many: bool = False
    conflict: Conflict | None = None
    conflict_columns: tuple[str, ...] = ()
    whole_row: bool = False
    returning: bool = True
    selection: Selection = ALL_COLUMNS


class Update(NamedTuple):
    """New values, from a JSON object, for the rows that `where` names."""

    body: str
    columns: tuple[str, ...]
    where: Group
    returning: bool = True
    selection: Selection = ALL_COLUMNS


class Delete(NamedTuple):
    """The rows that `where` names, gone."""

    where: Group
    returning: bool = True
    selection: Selection = ALL_COLUMNS


class Call(NamedTuple):
    """A function, with arguments by name from a JSON object."""

    arguments: frozenset[str] = frozenset()
    body: str = "{}"
    limit: int | None = None
    offset: int = 0


type Query = Read | Insert | Update | Delete

"""What the database has, as far as it is exposed: tables, columns, keys, functions. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or view.

    Attributes:
        name: As it is in the catalog.
        type: The type without its modifier, as SQL writes it, safe to cast to: `timestamp with time zone`.
        category: `pg_type.typcategory`: A array, B boolean, S string, N number, U other …
        built_in: PostgreSQL's own operators are for the type: its own, and enums, arrays, ranges, domains over such.
        is_json: `json`, `jsonb` or a domain over one of them.
        nullable: Whether NULL may be stored.
        has_default: Whether a row may leave it out though it is not nullable.
        generated: Never written: generated, or identity always.
        values: Labels of an enum.
        comment: What the operator wrote about it.
    """

    name: str
    type: str
    category: str = "U"
    built_in: bool = True
    is_json: bool = False
    nullable: bool = True
    has_default: bool = False
    generated: bool = False
    values: tuple[str, ...] = ()
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns of one table that refer to columns of another (schema and name in `target`)."""

    name: str
    columns: tuple[str, ...]
    target: tuple[str, str]
    target_columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table or view.

    Attributes:
        schema: Its schema.
        name: Its name.
        kind: `pg_class.relkind`: r table, p partitioned, v view, m materialized view, f foreign.
        columns: In their order.
        primary_key: Column names, empty without one.
        unique_keys: Column sets that `on_conflict` may name, the primary key among them.
        foreign_keys: Those that go out from it.
        guarded: Whether row-level security stands between users and rows: on with a policy, or, for a view, the view
            runs as its reader and so it is for every table under it.
        grants: By role, the privileges it has: select, insert, update, delete.
        plan_keeps: Whether a plan that was made for one caller may serve another.
        comment: What the operator wrote about it.
    """

    schema: str
    name: str
    kind: str = "r"
    columns: tuple[Column, ...] = ()
    primary_key: tuple[str, ...] = ()
    unique_keys: tuple[frozenset[str], ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    guarded: bool = False
    grants: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    plan_keeps: bool = False
    comment: str | None = None

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Its columns by name."""
        return {column.name: column for column in self.columns}


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a function, by name."""

    name: str
    type: str
    required: bool = True
    variadic: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A function that may be called by name.

    Attributes:
        schema: Its schema.
        name: Its name; several may share it, with other arguments.
        arguments: In their order.
        returns_set: Whether it returns any number of results.
        returns_row: Whether each result is a row, which becomes an object.
        returns_void: Whether it returns nothing.
        read_only: STABLE or IMMUTABLE: may be called by GET.
        roles: Those that may execute it.
        comment: What the operator wrote about it.
    """

    schema: str
    name: str
    arguments: tuple[Argument, ...] = ()
    returns_set: bool = False
    returns_row: bool = False
    returns_void: bool = False
    read_only: bool = False
    roles: frozenset[str] = frozenset()
    comment: str | None = None

    def takes(self, names: frozenset[str]) -> bool:
        """Whether it can be called with exactly these arguments."""
        known = {argument.name for argument in self.arguments}
        required = {argument.name for argument in self.arguments if argument.required}
        return required <= names <= known


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything exposed, by schema and name. Of functions, all that share a name."""

    schemas: tuple[str, ...] = ()
    tables: Mapping[tuple[str, str], Table] = field(default_factory=dict[tuple[str, str], Table])
    functions: Mapping[tuple[str, str], tuple[Function, ...]] = field(
        default_factory=dict[tuple[str, str], tuple[Function, ...]]
    )

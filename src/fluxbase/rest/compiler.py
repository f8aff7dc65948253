"""From an abstract query and the catalog to one SQL statement with parameters. Pure.

The text holds keywords of ours, identifiers of the catalog in double quotes, and `($1::text[])[n]`; every value of the
client is an element of that one parameter, and cast to the column's type by PostgreSQL. Each statement answers one row:
`body`, the JSON array of the rows (NULL for none), `rows`, how many there are, and `total`, how many there would be
without a limit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from fluxbase.rest.catalog import Column, Function, Table
from fluxbase.rest.errors import InvalidQueryError, UnknownColumnError
from fluxbase.rest.query import (
    FULL_TEXT,
    Call,
    Condition,
    Conflict,
    Delete,
    Field,
    Group,
    Insert,
    Operator,
    Order,
    Path,
    Query,
    Read,
    Selection,
    Update,
)

# What `::` may name in a select; the right side is ours, so nothing of the client reaches the text.
CASTS = {
    "text": "text",
    "int": "integer",
    "integer": "integer",
    "int4": "integer",
    "int8": "bigint",
    "bigint": "bigint",
    "smallint": "smallint",
    "numeric": "numeric",
    "float8": "double precision",
    "real": "real",
    "bool": "boolean",
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "interval": "interval",
    "uuid": "uuid",
    "json": "json",
    "jsonb": "jsonb",
}
_INFIX = {
    Operator.EQ: "=",
    Operator.NEQ: "<>",
    Operator.GT: ">",
    Operator.GTE: ">=",
    Operator.LT: "<",
    Operator.LTE: "<=",
    Operator.CONTAINS: "@>",
    Operator.CONTAINED: "<@",
    Operator.OVERLAPS: "&&",
    Operator.ADJACENT: "-|-",
    Operator.STRICTLY_LEFT: "<<",
    Operator.STRICTLY_RIGHT: ">>",
    Operator.NOT_RIGHT_OF: "&<",
    Operator.NOT_LEFT_OF: "&>",
}
_TEXT_SEARCH = {
    Operator.FTS: "to_tsquery",
    Operator.PLAIN_FTS: "plainto_tsquery",
    Operator.PHRASE_FTS: "phraseto_tsquery",
    Operator.WEB_FTS: "websearch_to_tsquery",
}
_IS = {
    "null": "IS NULL",
    "not_null": "IS NOT NULL",
    "true": "IS TRUE",
    "false": "IS FALSE",
    "unknown": "IS UNKNOWN",
}
_AS_TEXT = frozenset(("text", "character varying"))
_ARRAY, _BOOLEAN, _STRING = "A", "B", "S"
_LARGEST_PLANNED = 8192  # a kept plan takes its values as a literal, which a large body would make slow
_MOST_FIELDS = 50  # json_build_object takes 100 arguments


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with one parameter `$1`, an array of text, and its elements.

    Attributes:
        sql: The text.
        values: The elements.
        one_plan: It finds its rows by the primary key, or makes them: the best plan is the same for every caller.
        calls_function: It calls a function of the operator's.
    """

    sql: str
    values: tuple[str, ...]
    one_plan: bool = False
    calls_function: bool = False


def compile_query(table: Table, query: Query, *, max_rows: int) -> Statement:
    """The statement of `query` on `table`, which returns at most `max_rows` rows.

    Raises:
        UnknownColumnError: 400.
        InvalidQueryError: 400: an operator that the column's type has no use for, a key that is not unique …
    """
    compiler = _Compiler(table, max_rows)
    match query:
        case Read():
            sql = compiler.read(query)
        case Insert():
            sql = compiler.insert(query)
        case Update():
            sql = compiler.update(query)
        case Delete():
            sql = compiler.delete(query)
        case _:
            assert_never(query)
    return Statement(sql, tuple(compiler.values), one_plan=_has_one_plan(table, query))


def _has_one_plan(table: Table, query: Query) -> bool:
    if isinstance(query, Insert):
        return len(query.body) <= _LARGEST_PLANNED
    if isinstance(query, Update) and len(query.body) > _LARGEST_PLANNED:
        return False
    where = query.where
    if where.any or where.negated or not table.primary_key:
        return False
    named = {_named_by(member) for member in where.members}
    return named.issuperset(table.primary_key) and not (isinstance(query, Read) and query.count)


def _named_by(member: Condition | Group) -> str | None:
    """The column that has one value by this condition."""
    if isinstance(member, Group) or member.operator is not Operator.EQ or member.negated or member.path.steps:
        return None
    return member.path.column


def quoted(name: str) -> str:
    """An identifier of the catalog, as SQL takes it whatever letters it has."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class _Operand:
    """Something to compare: its SQL, its type and the type's category."""

    sql: str
    type: str
    category: str


class _Values:
    """Parameters collected on the way through a statement: elements of one array of text, cast where they are used."""

    def __init__(self) -> None:
        self.values: list[str] = []

    def text(self, value: str) -> str:
        self.values.append(value)
        return f"($1::text[])[{len(self.values)}]"

    def texts(self, values: Iterable[str]) -> str:
        return f"{self.text(array_literal(values))}::text[]"

    def number(self, value: int) -> str:
        return f"{self.text(str(value))}::bigint"

    def position(self, value: int) -> str:
        return f"{self.text(str(value))}::integer"


def array_literal(values: Iterable[str]) -> str:
    """Texts as PostgreSQL writes an array of them, each one quoted."""
    return "{" + ",".join('"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values) + "}"


class _Compiler(_Values):
    def __init__(self, table: Table, max_rows: int) -> None:
        super().__init__()
        self.table = table
        self.name = f"{quoted(table.schema)}.{quoted(table.name)}"
        self.max_rows = max_rows

    # ── statements ────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, query: Read) -> str:
        columns, result = self.selection(query.selection)
        source = f"FROM {self.name} AS t{self.where(query.where)}"
        total = f", (SELECT count(*) {source}) AS total" if query.count else ""
        limit = self.max_rows if query.limit is None else min(query.limit, self.max_rows)
        bounds = f" LIMIT {self.number(limit)}"
        if query.offset:
            bounds += f" OFFSET {self.number(query.offset)}"
        return (
            f"SELECT json_agg({result})::text AS body, count(*) AS rows{total} "
            f"FROM (SELECT {columns} {source}{self.order(query.order)}{bounds}) AS r"
        )

    def insert(self, query: Insert) -> str:
        columns = [self.writable(name) for name in query.columns]
        names = ", ".join(quoted(column.name) for column in columns)
        if columns:
            taken = ", ".join(f"body.{quoted(column.name)}" for column in columns)
            source = f"({names}) SELECT {taken} FROM {self.records(query.body, columns, many=query.many)}"
        elif query.many:
            raise InvalidQueryError("The objects to insert have no keys.")
        else:
            source = "DEFAULT VALUES"
        statement = f"INSERT INTO {self.name} AS t {source}{self.conflict(query)}"
        return self.changed(statement, query.selection, returning=query.returning)

    def update(self, query: Update) -> str:
        columns = [self.writable(name) for name in query.columns]
        if not columns:
            raise InvalidQueryError("There is nothing to change: the body has no keys.")
        changes = ", ".join(f"{quoted(column.name)} = body.{quoted(column.name)}" for column in columns)
        source = self.records(query.body, columns, many=False)
        statement = f"UPDATE {self.name} AS t SET {changes} FROM {source}{self.where(query.where)}"
        return self.changed(statement, query.selection, returning=query.returning)

    def delete(self, query: Delete) -> str:
        statement = f"DELETE FROM {self.name} AS t{self.where(query.where)}"
        return self.changed(statement, query.selection, returning=query.returning)

    def changed(self, statement: str, selection: Selection, *, returning: bool) -> str:
        """Run a change, and answer the rows it made, or only how many."""
        if not returning:
            # RETURNING a column would ask for SELECT, which a caller who may only write does not have.
            return f"WITH w AS ({statement} RETURNING 1) SELECT NULL::text AS body, count(*) AS rows FROM w"
        columns, result = self.selection(selection)
        shown = f"(SELECT w.* FROM w LIMIT {self.number(self.max_rows)}) AS r"
        return (
            f"WITH w AS ({statement} RETURNING {columns}) "
            f"SELECT json_agg({result})::text AS body, (SELECT count(*) FROM w) AS rows FROM {shown}"
        )

    def conflict(self, query: Insert) -> str:
        if query.conflict is None:
            return ""
        key = query.conflict_columns or self.table.primary_key
        if frozenset(key) not in self.table.unique_keys:
            keys = "; ".join(sorted(",".join(sorted(unique)) for unique in self.table.unique_keys)) or "none"
            raise InvalidQueryError(f"on_conflict names the columns of a unique key; {self.table.name} has: {keys}")
        target = f" ON CONFLICT ({', '.join(quoted(self.column(name).name) for name in key)}) DO "
        if query.conflict is Conflict.IGNORE:
            return f"{target}NOTHING"
        written = [c.name for c in self.table.columns if not c.generated] if query.whole_row else query.columns
        # With nothing else to change the key is set to itself, so that the row comes back.
        changed = [name for name in written if name not in key] or list(key)
        return f"{target}UPDATE SET " + ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in changed)

    def records(self, body: str, columns: list[Column], *, many: bool) -> str:
        types = ", ".join(f"{quoted(column.name)} {column.type}" for column in columns)
        return f"json_to_record{'set' if many else ''}({self.text(body)}::json) AS body({types})"

    # ── clauses ───────────────────────────────────────────────────────────────────────────────────────────────────

    def selection(self, selection: Selection) -> tuple[str, str]:
        """The columns to select, and what becomes an element of the array."""
        if selection.embeds:
            raise InvalidQueryError("Related tables cannot be embedded here.")
        fields = selection.fields
        if not fields:
            return "t.*", "r.*"
        if all(not field.path.steps and field.cast is None and field.alias is None for field in fields):
            return ", ".join(f"t.{quoted(self.column(field.path.column).name)}" for field in fields), "r.*"
        if len(fields) > _MOST_FIELDS:
            raise InvalidQueryError(f"select takes at most {_MOST_FIELDS} columns when one of them is renamed or cast.")
        pairs = ", ".join(f"{self.text(field.name)}, {self.value(field)}" for field in fields)
        return f"json_build_object({pairs}) AS o", "r.o"

    def value(self, field: Field) -> str:
        sql = self.operand(field.path).sql
        if field.cast is None:
            return sql
        if field.cast not in CASTS:
            raise InvalidQueryError(f"select casts to one of {', '.join(CASTS)}.")
        return f"({sql})::{CASTS[field.cast]}"

    def order(self, keys: tuple[Order, ...]) -> str:
        return f" ORDER BY {', '.join(self.order_key(key) for key in keys)}" if keys else ""

    def order_key(self, key: Order) -> str:
        direction = " DESC" if key.descending else ""
        nulls = "" if key.nulls_first is None else f" NULLS {'FIRST' if key.nulls_first else 'LAST'}"
        return f"{self.operand(key.path).sql}{direction}{nulls}"

    def where(self, group: Group) -> str:
        return f" WHERE {self.group(group)}" if group else ""

    def group(self, group: Group) -> str:
        if not group.members:
            raise InvalidQueryError("A pair of brackets holds no condition.")
        joined = (" OR " if group.any else " AND ").join(self.member(member) for member in group.members)
        return f"NOT ({joined})" if group.negated else joined

    def member(self, member: Condition | Group) -> str:
        if isinstance(member, Group):
            return f"({self.group(member)})"
        sql = self.condition(member)
        return f"NOT ({sql})" if member.negated else sql

    def condition(self, condition: Condition) -> str:
        operand = self.operand(condition.path)
        operator, value = condition.operator, condition.value
        if operator is Operator.IN:
            return self.one_of(operand, value)
        assert isinstance(value, str)  # noqa: S101 -- only `in` has a list; the parser and this agree on it
        if operator is Operator.IS:
            return self.is_(operand, value)
        if operator in FULL_TEXT:
            return self.text_search(operand, operator, value, condition.language)
        if operator in (Operator.LIKE, Operator.ILIKE):
            text = operand.sql if operand.category == _STRING else f"({operand.sql})::text"
            return f"{text} {operator.name} {self.text(value.replace('*', '%'))}"
        return f"{operand.sql} {_INFIX[operator]} {self.cast(self.text(value), operand)}"

    def one_of(self, operand: _Operand, values: str | tuple[str, ...]) -> str:
        if operand.category == _ARRAY:
            raise InvalidQueryError("in compares single values; arrays are compared by cs, cd and ov.")
        cast = "" if operand.type == "text" else f"::{operand.type}[]"
        return f"{operand.sql} = ANY ({self.texts(values)}{cast})"

    def is_(self, operand: _Operand, value: str) -> str:
        if not value.endswith("null") and operand.category != _BOOLEAN:
            raise InvalidQueryError(f"is.{value} is for columns of type boolean.")
        return f"{operand.sql} {_IS[value]}"

    def text_search(self, operand: _Operand, operator: Operator, value: str, language: str | None) -> str:
        configuration = f"{self.text(language)}::regconfig, " if language is not None else ""
        words = f"{_TEXT_SEARCH[operator]}({configuration}{self.text(value)})"
        if operand.type == "tsvector":
            return f"{operand.sql} @@ {words}"
        if operand.category != _STRING and operand.type != "jsonb":
            raise InvalidQueryError(f"{operator.value} searches columns of type tsvector, text or jsonb.")
        return f"to_tsvector({configuration}{operand.sql}) @@ {words}"

    @staticmethod
    def cast(parameter: str, operand: _Operand) -> str:
        return parameter if operand.type in _AS_TEXT else f"{parameter}::{operand.type}"

    # ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def operand(self, path: Path) -> _Operand:
        column = self.column(path.column)
        sql = f"t.{quoted(column.name)}"
        if not column.is_json:
            if path.steps:
                raise InvalidQueryError(f"{column.name} is of type {column.type}: arrows look into json and jsonb.")
            return _Operand(sql, column.type, column.category)
        if column.type != "jsonb" and path.steps:
            sql = f"{sql}::jsonb"
        *above, last = [self.step(step) for step in path.steps] or [""]
        if not last:
            return _Operand(sql, column.type, column.category)
        inner = "".join(f" -> {step}" for step in above)
        arrow = "->>" if path.as_text else "->"
        return _Operand(f"({sql}{inner} {arrow} {last})", *(("text", _STRING) if path.as_text else ("jsonb", "U")))

    def step(self, step: str | int) -> str:
        return self.position(step) if isinstance(step, int) else self.text(step)

    def column(self, name: str) -> Column:
        column = self.table.by_name.get(name)
        if column is None:
            known = ", ".join(self.table.by_name)
            raise UnknownColumnError(f"{self.table.name} has no column {name!r}; it has {known}.")
        return column

    def writable(self, name: str) -> Column:
        column = self.column(name)
        if column.generated:
            raise InvalidQueryError(f"{name} is generated by the database: leave it out.")
        return column


# ── functions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def compile_call(function: Function, call: Call, *, max_rows: int) -> Statement:
    """The statement of a call; `call.arguments` are ones that the function takes."""
    values = _Values()
    given = [argument for argument in function.arguments if argument.name in call.arguments]
    passed = ", ".join(
        f"{'VARIADIC ' if argument.variadic else ''}{quoted(argument.name)} => args.{quoted(argument.name)}"
        for argument in given
    )
    types = ", ".join(f"{quoted(argument.name)} {argument.type}" for argument in given)
    source = f"json_to_record({values.text(call.body)}::json) AS args({types})" if given else ""
    invoked = f"{quoted(function.schema)}.{quoted(function.name)}({passed})"
    shape = _set if function.returns_set else _single
    sql = shape(function, invoked, source, values, call, max_rows)
    return Statement(sql, tuple(values.values), calls_function=True)


def _single(function: Function, invoked: str, source: str, *_: object) -> str:
    result = f"{invoked}::text" if function.returns_void else f"to_json({invoked})::text"
    return f"SELECT {result} AS body" + (f" FROM {source}" if source else "")


def _set(function: Function, invoked: str, source: str, values: _Values, call: Call, max_rows: int) -> str:
    limit = max_rows if call.limit is None else min(call.limit, max_rows)
    bounds = f"LIMIT {values.number(limit)} OFFSET {values.number(call.offset)}"
    from_ = f"{source}, LATERAL {invoked}" if source else invoked
    alias, result = ("f", "r.*") if function.returns_row else ("f(v)", "r.v")
    return (
        f"SELECT json_agg({result})::text AS body, count(*) AS rows "
        f"FROM (SELECT f.* FROM {from_} AS {alias} {bounds}) AS r"
    )

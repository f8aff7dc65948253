"""What is read and written in tables and views."""

from typing import NamedTuple, assert_never

from fluxbase.rest.catalog import Column, Table
from fluxbase.rest.compiler.conditions import where
from fluxbase.rest.compiler.planning import planned_for
from fluxbase.rest.compiler.scope import Scope
from fluxbase.rest.compiler.selecting import columns_and_result, order_by
from fluxbase.rest.compiler.statement import Statement, quoted, typed
from fluxbase.rest.errors import InvalidQueryError
from fluxbase.rest.query import Conflict, Delete, Insert, Query, Read, Selection, Update


def compile_query(table: Table, query: Query, *, max_rows: int) -> Statement:
    """The statement of `query` on `table`, which returns at most `max_rows` rows.

    Raises:
        UnknownColumnError: 400.
        InvalidQueryError: 400: an operator that the column's type has no use for, a key that is not unique …
    """
    scope = Scope(table)
    sql = _Compiler(scope, f"{quoted(table.schema)}.{quoted(table.name)}", max_rows).sql(query)
    values = scope.values.taken()
    return Statement(sql, values, planned_for(table, query, values), costly=isinstance(query, Read) and query.total)


class _Compiler(NamedTuple):
    scope: Scope
    name: str
    max_rows: int

    def sql(self, query: Query) -> str:
        match query:
            case Read():
                return self.read(query)
            case Insert():
                return self.insert(query)
            case Update():
                return self.update(query)
            case Delete():
                return self.delete(query)
            case _:
                assert_never(query)

    def read(self, query: Read) -> str:
        columns, result = columns_and_result(query.selection, self.scope)
        source = f"FROM {self.name} AS t{where(query.where, self.scope)}"
        total = f", (SELECT pg_catalog.count(*) {source}) AS total" if query.total else ""
        limit = self.max_rows if query.limit is None else min(query.limit, self.max_rows)
        bounds = f" LIMIT {limit:d}" + (f" OFFSET {query.offset:d}" if query.offset else "")
        return (
            f"SELECT pg_catalog.json_agg({result})::pg_catalog.text AS body, pg_catalog.count(*) AS rows{total} "
            f"FROM (SELECT {columns} {source}{order_by(query.order, self.scope)}{bounds}) AS r"
        )

    def insert(self, query: Insert) -> str:
        columns = [self.scope.writable(name) for name in query.columns]
        if columns:
            names = ", ".join(quoted(column.name) for column in columns)
            taken = ", ".join(f"body.{quoted(column.name)}" for column in columns)
            source = f"({names}) SELECT {taken} FROM {self.records(query.body, columns, many=query.many)}"
        elif query.many:
            raise InvalidQueryError("The objects to insert have no keys.")
        else:
            source = "DEFAULT VALUES"
        statement = f"INSERT INTO {self.name} AS t {source}{self.conflict(query)}"
        return self.changed(statement, query.selection, returning=query.returning)

    def update(self, query: Update) -> str:
        columns = [self.scope.writable(name) for name in query.columns]
        if not columns:
            raise InvalidQueryError("There is nothing to change: the body has no keys.")
        changes = ", ".join(f"{quoted(column.name)} = body.{quoted(column.name)}" for column in columns)
        source = self.records(query.body, columns, many=False)
        statement = f"UPDATE {self.name} AS t SET {changes} FROM {source}{where(query.where, self.scope)}"
        return self.changed(statement, query.selection, returning=query.returning)

    def delete(self, query: Delete) -> str:
        statement = f"DELETE FROM {self.name} AS t{where(query.where, self.scope)}"
        return self.changed(statement, query.selection, returning=query.returning)

    def changed(self, statement: str, selection: Selection, *, returning: bool) -> str:
        """Run a change, and answer the rows it made, or only how many."""
        if not returning:
            # RETURNING a column would ask for SELECT, which a caller who may only write does not have.
            counted = "SELECT NULL::pg_catalog.text AS body, pg_catalog.count(*) AS rows FROM w"
            return f"WITH w AS ({statement} RETURNING 1) {counted}"
        columns, result = columns_and_result(selection, self.scope)
        shown = f"(SELECT w.* FROM w LIMIT {self.scope.values.number(self.max_rows)}) AS r"
        return (
            f"WITH w AS ({statement} RETURNING {columns}) "
            f"SELECT pg_catalog.json_agg({result})::pg_catalog.text AS body, "
            f"(SELECT pg_catalog.count(*) FROM w) AS rows FROM {shown}"
        )

    def conflict(self, query: Insert) -> str:
        if query.conflict is None:
            return ""
        table = self.scope.table
        key = query.conflict_columns or table.primary_key
        if frozenset(key) not in table.unique_keys:
            keys = "; ".join(sorted(",".join(sorted(unique)) for unique in table.unique_keys)) or "none"
            raise InvalidQueryError(f"on_conflict names the columns of a unique key; {table.name} has: {keys}")
        target = f" ON CONFLICT ({', '.join(quoted(name) for name in key)}) DO "
        if query.conflict is Conflict.IGNORE:
            return f"{target}NOTHING"
        written = [c.name for c in table.columns if not c.generated] if query.whole_row else query.columns
        # With nothing else to change the key is set to itself, so that the row comes back.
        changed = [name for name in written if name not in key] or list(key)
        return f"{target}UPDATE SET " + ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in changed)

    def records(self, body: str, columns: list[Column], *, many: bool) -> str:
        """The objects of `body` as rows with these columns."""
        types = ", ".join(f"{quoted(column.name)} {typed(column.type)}" for column in columns)
        made = f"pg_catalog.json_to_record{'set' if many else ''}"
        return f"{made}({self.scope.values.text(body)}::pg_catalog.json) AS body({types})"

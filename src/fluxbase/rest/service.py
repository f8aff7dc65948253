"""What each method does to a table, a row or a function."""

import difflib
from collections.abc import Callable
from typing import NamedTuple

from fluxbase.auth.callers import Caller
from fluxbase.errors import NotAuthenticatedError
from fluxbase.http.problem import Problem, ProblemError
from fluxbase.rest.catalog import Catalog, Function, Table
from fluxbase.rest.compiler import Statement, compile_call, compile_query
from fluxbase.rest.errors import (
    FilterRequiredError,
    InvalidQueryError,
    RowNotFoundError,
    TableClosedError,
    UnknownColumnError,
    UnknownFunctionError,
    UnknownTableError,
)
from fluxbase.rest.executor import Answer, Executor
from fluxbase.rest.introspection import CatalogCache
from fluxbase.rest.parser import Parameters
from fluxbase.rest.problems import NotGrantedError
from fluxbase.rest.query import Call, Conflict, Delete, Insert, Query, Read, Update
from fluxbase.rest.requests import Body, Preferences, key_of, object_of, rows_of, where_key, with_key

type QueryOf = Callable[[Table], Query]

_SERVICE, _ANONYMOUS = "service_role", "anon"
_KINDS = {"v": "view", "m": "materialized view", "f": "foreign table"}  # as PostgreSQL calls them


class Tables(NamedTuple):
    """The use cases of tables, for one caller and one request."""

    cache: CatalogCache
    executor: Executor
    max_rows: int
    caller: Caller

    async def rows(self, name: tuple[str, str], asked: Parameters) -> Answer:
        """Rows that fit."""
        asked.allow("select", "order", "limit", "offset", "count")
        read = Read(asked.selection, asked.where, asked.order, asked.limit, asked.offset, asked.total)
        return await self._run(name, lambda _table: read, read_only=True)

    async def get(self, name: tuple[str, str], identifier: str, asked: Parameters) -> Answer:
        """One row by its key."""
        asked.allow("select")
        if asked.where:
            raise InvalidQueryError("A row is named by its key: filters have no meaning here.")
        return _one(
            await self._run(
                name,
                lambda table: Read(asked.selection, where_key(key_of(table, identifier)), limit=1),
                read_only=True,
            )
        )

    async def insert(self, name: tuple[str, str], raw: bytes, asked: Parameters, prefer: Preferences) -> Answer:
        """New rows; with `on_conflict` or a preference, rows that exist are merged or left alone."""
        asked.allow("select", "on_conflict")
        _refuse_filters(asked)
        body = rows_of(raw)
        conflict = prefer.conflict or (Conflict.MERGE if asked.on_conflict else None)
        insert = Insert(
            body.text,
            body.columns,
            many=body.many,
            conflict=conflict,
            conflict_columns=asked.on_conflict,
            returning=prefer.returning,
            selection=asked.selection,
        )
        answer = await self._run(name, lambda _table: insert)
        return answer if body.many or answer.body is None else _one(answer)

    async def update(self, name: tuple[str, str], raw: bytes, asked: Parameters, prefer: Preferences) -> Answer:
        """New values for the rows that fit."""
        asked.allow("select")
        if not asked.where:
            raise FilterRequiredError("PATCH over a collection needs a filter, such as ?id=eq.1")
        text, values = object_of(raw)
        update = Update(text, tuple(values), asked.where, prefer.returning, asked.selection)
        return await self._run(name, lambda _table: update)

    async def update_one(
        self, name: tuple[str, str], identifier: str, raw: bytes, asked: Parameters, prefer: Preferences
    ) -> Answer:
        """New values for one row."""
        asked.allow("select")
        _refuse_filters(asked)
        text, values = object_of(raw)

        def query(table: Table) -> Query:
            where = where_key(key_of(table, identifier))
            return Update(text, tuple(values), where, prefer.returning, asked.selection)

        return _one(await self._run(name, query))

    async def put(
        self, name: tuple[str, str], identifier: str, raw: bytes, asked: Parameters, prefer: Preferences
    ) -> Answer:
        """A whole row under its key: made, or replaced; what the body leaves out gets its default."""
        asked.allow("select")
        _refuse_filters(asked)
        text, values = object_of(raw)

        def query(table: Table) -> Query:
            body: Body = with_key(text, values, key_of(table, identifier))
            return Insert(
                body.text,
                body.columns,
                conflict=Conflict.MERGE,
                whole_row=True,
                returning=prefer.returning,
                selection=asked.selection,
            )

        return _one(await self._run(name, query))

    async def delete(self, name: tuple[str, str], asked: Parameters, prefer: Preferences) -> Answer:
        """The rows that fit, gone."""
        asked.allow("select")
        if not asked.where:
            raise FilterRequiredError("DELETE over a collection needs a filter, such as ?id=eq.1")
        return await self._run(name, lambda _table: Delete(asked.where, prefer.returning, asked.selection))

    async def delete_one(self, name: tuple[str, str], identifier: str, asked: Parameters) -> Answer:
        """One row, gone."""
        asked.allow()
        _refuse_filters(asked)
        return _one(await self._run(name, lambda table: Delete(where_key(key_of(table, identifier)), returning=False)))

    async def _run(self, name: tuple[str, str], query: QueryOf, *, read_only: bool = False) -> Answer:
        self.caller.require("tables:read" if read_only else "tables:write")
        statement = await self._compiled(name, query)
        return await self.executor.run(self.caller.claims, statement, read_only=read_only)

    async def _compiled(self, name: tuple[str, str], query: QueryOf) -> Statement:
        try:
            return self._compile(await self.cache.current(), name, query)
        except (UnknownTableError, UnknownColumnError, NotGrantedError):
            # Perhaps it was made or granted a moment ago, and word of it is still on the way.
            newer = await self.cache.newer()
            if newer is None:
                raise
            return self._compile(newer, name, query)

    def _compile(self, catalog: Catalog, name: tuple[str, str], query: QueryOf) -> Statement:
        table = catalog.tables.get(name)
        if table is None:
            raise UnknownTableError(_unknown("table or view", name, catalog, self._visible(catalog)))
        # Before anything is said of its columns: who may not have them shall not learn which there are.
        refuse_closed(table, self.caller)
        if not table.grants.get(self.caller.claims.role):
            kind, hint = _KINDS.get(table.kind, "table"), "It takes a grant on it, and USAGE on its schema."
            raise NotGrantedError(f"{kind} {table.name}", self.caller.claims.role, hint=hint)
        return compile_query(table, query(table), max_rows=self.max_rows)

    def _visible(self, catalog: Catalog) -> list[tuple[str, str]]:
        role = self.caller.claims.role
        return [key for key, table in catalog.tables.items() if table.grants.get(role)]


class Functions(NamedTuple):
    """The use case of functions, for one caller and one request."""

    cache: CatalogCache
    executor: Executor
    max_rows: int
    caller: Caller

    async def call(self, name: tuple[str, str], call: Call, *, read_only: bool) -> tuple[Function, Answer]:
        """Call the function that takes exactly these arguments.

        Raises:
            UnknownFunctionError: 404.
            NotGrantedError: 403, or 401 for the anonymous.
            InvalidQueryError: 400: it takes others, or several fit.
        """
        self.caller.require("rpc:execute")
        function = self._find(await self.cache.current(), name, call, last=False)
        if function is None:
            newer = await self.cache.newer()
            function = self._find(newer or await self.cache.current(), name, call, last=True)
        assert function is not None  # noqa: S101 -- the last look raises
        if read_only and not function.read_only:
            raise ProblemError(
                Problem(405, "read_only", f"{function.name} may write: call it by POST.", headers={"Allow": "POST"})
            )
        statement = compile_call(function, call, max_rows=self.max_rows)
        return function, await self.executor.run(self.caller.claims, statement, read_only=read_only)

    def _find(self, catalog: Catalog, name: tuple[str, str], call: Call, *, last: bool) -> Function | None:
        known = catalog.functions.get(name, ())
        candidates = [function for function in known if self._may(function)]
        fitting = [function for function in candidates if function.takes(call.arguments)]
        if len(fitting) == 1:
            return fitting[0]
        if not last:
            return None
        if known and not candidates:
            hint = "It takes EXECUTE on it, and USAGE on its schema."
            raise NotGrantedError(f"function {name[1]}", self.caller.claims.role, hint=hint)
        if not candidates:
            visible = [key for key, all_ in catalog.functions.items() if any(self._may(f) for f in all_)]
            raise UnknownFunctionError(_unknown("function", name, catalog, visible))
        if fitting:
            raise InvalidQueryError(f"Several functions named {name[1]} take these arguments: give them other names.")
        raise InvalidQueryError(f"{name[1]} takes {' or '.join(_signature(f) for f in candidates)}.")

    def _may(self, function: Function) -> bool:
        return self.caller.claims.role in function.roles


def refuse_closed(table: Table, caller: Caller) -> None:
    """Users reach only what row-level security guards, whatever was granted.

    Raises:
        NotAuthenticatedError: 401, nobody is signed in.
        TableClosedError: 403.
    """
    if table.guarded or caller.claims.role == _SERVICE:
        return
    why = "has no row-level security with a policy, so it is closed to everybody but the service role"
    if table.kind == "v":
        why = f"is not a security_invoker view over guarded tables; {table.name} {why}"
    if caller.claims.role == _ANONYMOUS:
        raise NotAuthenticatedError(f"{table.name} {why}.")
    raise TableClosedError(f"{table.name} {why}.")


def _refuse_filters(asked: Parameters) -> None:
    if asked.where:
        raise InvalidQueryError("Filters have no meaning here.")


def _one(answer: Answer) -> Answer:
    if not answer.rows:
        raise RowNotFoundError
    # json_agg of one row is that row between brackets.
    return Answer(None if answer.body is None else answer.body[1:-1], answer.rows)


def _signature(function: Function) -> str:
    named = [f"{a.name} {a.type}{'' if a.required else ' (optional)'}" for a in function.arguments]
    return f"({', '.join(named)})"


def _unknown(kind: str, name: tuple[str, str], catalog: Catalog, visible: list[tuple[str, str]]) -> str:
    if name[0] not in catalog.schemas:
        return f"The schema {name[0]!r} is not exposed; these are: {', '.join(catalog.schemas)}."
    near = difflib.get_close_matches(name[1], [other for schema, other in visible if schema == name[0]])
    return f"There is no {kind} {name[1]!r} in {name[0]}." + (f" Did you mean {' or '.join(near)}?" if near else "")

"""Calls of functions."""

from fluxbase.rest.catalog import Function
from fluxbase.rest.compiler.statement import Statement, Values, quoted, typed
from fluxbase.rest.query import Call


def compile_call(function: Function, call: Call, *, max_rows: int) -> Statement:
    """The statement of a call; `call.arguments` are ones that the function takes."""
    values = Values()
    given = [argument for argument in function.arguments if argument.name in call.arguments]
    passed = ", ".join(
        f"{'VARIADIC ' if argument.variadic else ''}{quoted(argument.name)} => args.{quoted(argument.name)}"
        for argument in given
    )
    types = ", ".join(f"{quoted(argument.name)} {typed(argument.type)}" for argument in given)
    source = f"pg_catalog.json_to_record({values.text(call.body)}::pg_catalog.json) AS args({types})" if given else ""
    invoked = f"{quoted(function.schema)}.{quoted(function.name)}({passed})"
    if function.returns_set:
        limit = max_rows if call.limit is None else min(call.limit, max_rows)
        bounds = f"LIMIT {values.number(limit)} OFFSET {values.number(call.offset)}"
        sql = _rows(function, invoked, source, bounds)
    else:
        sql = _single(function, invoked, source)
    return Statement(sql, values.taken(), calls_function=True)


def _single(function: Function, invoked: str, source: str) -> str:
    result = (
        f"{invoked}::pg_catalog.text" if function.returns_void else f"pg_catalog.to_json({invoked})::pg_catalog.text"
    )
    return f"SELECT {result} AS body" + (f" FROM {source}" if source else "")


def _rows(function: Function, invoked: str, source: str, bounds: str) -> str:
    from_ = f"{source}, LATERAL {invoked}" if source else invoked
    alias, result = ("f", "r.*") if function.returns_row else ("f(v)", "r.v")
    return (
        f"SELECT pg_catalog.json_agg({result})::pg_catalog.text AS body, pg_catalog.count(*) AS rows "
        f"FROM (SELECT f.* FROM {from_} AS {alias} {bounds}) AS r"
    )

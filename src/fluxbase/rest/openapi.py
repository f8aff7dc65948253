"""The exposed schema as an OpenAPI document: what one role may do, and nothing that it may not. Pure.

What all operations have alike, problems and credentials, `fluxbase.http.description` adds.
"""

from collections.abc import Iterable
from typing import Any

from fluxbase.rest.catalog import Catalog, Column, Function, Table

type Json = dict[str, Any]

_SERVICE = "service_role"
_FORMATS = {
    "smallint": ("integer", "int16"),
    "integer": ("integer", "int32"),
    "bigint": ("integer", "int64"),
    "real": ("number", "float"),
    "double precision": ("number", "double"),
    "numeric": ("number", None),
    "boolean": ("boolean", None),
    "text": ("string", None),
    "character varying": ("string", None),
    "uuid": ("string", "uuid"),
    "date": ("string", "date"),
    "timestamp with time zone": ("string", "date-time"),
}
_NUMBER: Json = {"type": "integer", "minimum": 0}
_SELECT: Json = {"name": "select", "in": "query", "schema": {"type": "string"}, "description": "Columns, with commas."}
_READING: tuple[Json, ...] = (
    _SELECT,
    {"name": "order", "in": "query", "schema": {"type": "string"}, "description": "Such as made_at.desc,id."},
    {"name": "limit", "in": "query", "schema": _NUMBER},
    {"name": "offset", "in": "query", "schema": _NUMBER},
    {"name": "count", "in": "query", "schema": {"enum": ["exact"]}, "description": "The total, in Content-Range."},
)
_ON_CONFLICT: Json = {
    "name": "on_conflict",
    "in": "query",
    "schema": {"type": "string"},
    "description": "Columns of a unique key: rows that exist take the new values.",
}
_PREFER: Json = {
    "name": "Prefer",
    "in": "header",
    "schema": {"type": "string"},
    "description": "return=minimal, resolution=merge-duplicates, resolution=ignore-duplicates.",
}
_ID: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
_EMPTY: Json = {"description": "Done; there is nothing to answer."}


def describe(catalog: Catalog, role: str) -> Json:
    """OpenAPI 3.1 of the tables and functions that `role` may reach."""
    tables = [t for t in catalog.tables.values() if t.grants.get(role) and (t.guarded or role == _SERVICE)]
    functions = [f for overloads in catalog.functions.values() for f in overloads if role in f.roles]
    paths: Json = {f"/api/v1/tables/{t.schema}/{t.name}": _collection(t, t.grants[role]) for t in tables}
    paths |= {f"/api/v1/tables/{t.schema}/{t.name}/{{id}}": _row(t, t.grants[role]) for t in tables if t.primary_key}
    paths |= {f"/api/v1/rpc/{f.schema}/{f.name}": _function(f) for f in functions}
    schemas = {name: schema for table in tables for name, schema in _schemas(table)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tables and functions", "version": "1", "description": f"As {role} may use them."},
        "paths": paths,
        "components": {"schemas": schemas},
    }


# ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _name(table: Table) -> str:
    return f"{table.schema}.{table.name}"


def _reference(table: Table, which: str = "") -> Json:
    return {"$ref": f"#/components/schemas/{_name(table)}{which}"}


def _schemas(table: Table) -> Iterable[tuple[str, Json]]:
    """A row, of which an answer may have only some columns, and a new row, which must have some."""
    row: Json = {"type": "object", "properties": {column.name: _column(column) for column in table.columns}}
    yield _name(table), row | _told(table.comment)
    required = [c.name for c in table.columns if not (c.nullable or c.has_default or c.generated)]
    yield f"{_name(table)}.new", {"allOf": [_reference(table)], "required": required}


def _column(column: Column) -> Json:
    if column.is_json:
        described: Json = {}  # any JSON
    elif column.category == "A":
        described = {"type": ["array", "null"] if column.nullable else "array", "items": {}}
    else:
        kind, form = _FORMATS.get(column.type, ("string", None))
        described = {"type": [kind, "null"] if column.nullable else kind} | ({"format": form} if form else {})
    if column.values and not column.nullable:
        described["enum"] = list(column.values)
    if column.generated:
        described["readOnly"] = True
    return described | _told(column.comment)


def _told(comment: str | None) -> Json:
    return {"description": comment} if comment else {}


def _collection(table: Table, granted: frozenset[str]) -> Json:
    rows = {"type": "array", "items": _reference(table)}
    new = {"anyOf": [_reference(table, ".new"), {"type": "array", "items": _reference(table, ".new")}]}
    made = {"anyOf": [_reference(table), rows]}
    filters: list[Json] = [
        {"name": column.name, "in": "query", "schema": {"type": "string"}, "description": "Such as eq.1 or in.(1,2)."}
        for column in table.columns
    ]
    offered: dict[str, Json] = {
        "select": {"get": _operation(table, {"200": rows}, [*_READING, *filters])},
        "insert": {"post": _operation(table, {"201": made, "204": None}, [_SELECT, _ON_CONFLICT, _PREFER], new)},
        "update": {
            "patch": _operation(table, {"200": rows, "204": None}, [_SELECT, _PREFER, *filters], _reference(table))
        },
        "delete": {"delete": _operation(table, {"200": rows, "204": None}, [_SELECT, _PREFER, *filters])},
    }
    return {method: operation for name in offered if name in granted for method, operation in offered[name].items()}


def _row(table: Table, granted: frozenset[str]) -> Json:
    row = _reference(table)
    changed, writing = {"200": row, "204": None}, [_ID, _SELECT, _PREFER]
    described: Json = {}
    if "select" in granted:
        described["get"] = _operation(table, {"200": row}, [_ID, _SELECT])
    if "update" in granted:
        described["patch"] = _operation(table, changed, writing, row)
    if {"insert", "update"} <= granted:  # made, or replaced
        described["put"] = _operation(table, changed, writing, row)
    if "delete" in granted:
        described["delete"] = _operation(table, {"204": None}, [_ID])
    return described


def _operation(table: Table, answers: dict[str, Json | None], parameters: list[Json], body: Json | None = None) -> Json:
    described: Json = {"tags": [_name(table)], "parameters": parameters, "responses": _responses(answers)}
    return described | ({"requestBody": {"required": True, **_json(body)}} if body is not None else {})


def _responses(answers: dict[str, Json | None]) -> Json:
    """By status, what is answered; None is nothing."""
    return {
        status: _EMPTY if schema is None else {"description": "Done.", **_json(schema)}
        for status, schema in answers.items()
    }


def _json(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}


# ── functions ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _function(function: Function) -> Json:
    """By POST with its arguments in the body, and by GET too when it only reads."""
    arguments = {argument.name: _argument(argument.type) for argument in function.arguments}
    required = [argument.name for argument in function.arguments if argument.required]
    result: Json = {"type": "object"} if function.returns_row else {}
    result = {"type": "array", "items": result} if function.returns_set else result
    common: Json = {
        "tags": ["functions"],
        "responses": _responses({"204": None} if function.returns_void else {"200": result}),
        **_told(function.comment),
    }
    body = {"type": "object", "properties": arguments, "required": required, "additionalProperties": False}
    described = {"post": common | {"requestBody": {"required": bool(required), **_json(body)}}}
    if function.read_only:
        asked = [
            {"name": name, "in": "query", "required": name in required, "schema": {"type": "string"}}
            for name in arguments
        ]
        bounds = [parameter for parameter in _READING if parameter["name"] in ("limit", "offset")]
        described["get"] = common | {"parameters": [*asked, *(bounds if function.returns_set else ())]}
    return described


def _argument(type_: str) -> Json:
    if type_.endswith("[]"):
        return {"type": "array", "items": _argument(type_.removesuffix("[]")), "description": type_}
    kind, form = _FORMATS.get(type_, (None, None))
    return ({"type": kind} if kind else {}) | ({"format": form} if form else {}) | {"description": type_}

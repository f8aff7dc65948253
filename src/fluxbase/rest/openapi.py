"""The exposed schema as an OpenAPI document: what one role may do, and nothing that it may not. Pure."""

from typing import Any

from fluxbase.rest.catalog import Catalog, Column, Function, Table

_SERVICE = "service_role"
_FORMATS = {
    "smallint": ("integer", "int16"),
    "integer": ("integer", "int32"),
    "bigint": ("integer", "int64"),
    "real": ("number", "float"),
    "double precision": ("number", "double"),
    "numeric": ("number", None),
    "boolean": ("boolean", None),
    "uuid": ("string", "uuid"),
    "date": ("string", "date"),
    "timestamp with time zone": ("string", "date-time"),
}
_METHODS = {"get": "select", "post": "insert", "patch": "update", "delete": "delete"}
_PARAMETERS = ("select", "order", "limit", "offset", "count")


def describe(catalog: Catalog, role: str) -> dict[str, Any]:
    """OpenAPI 3.1 of the tables and functions that `role` may reach."""
    tables = [t for t in catalog.tables.values() if t.grants.get(role) and (t.guarded or role == _SERVICE)]
    functions = [f for overloads in catalog.functions.values() for f in overloads if role in f.roles]
    paths: dict[str, Any] = {f"/api/v1/tables/{t.schema}/{t.name}": _collection(t, role) for t in tables}
    paths |= {f"/api/v1/tables/{t.schema}/{t.name}/{{id}}": _row(t, role) for t in tables if t.primary_key}
    paths |= {f"/api/v1/rpc/{f.schema}/{f.name}": _function(f) for f in functions}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tables and functions", "version": "1", "description": f"As {role} may use them."},
        "paths": paths,
        "components": {"schemas": {_reference(table): _schema(table) for table in tables}},
    }


def _reference(table: Table) -> str:
    return f"{table.schema}.{table.name}"


def _schema(table: Table) -> dict[str, Any]:
    described: dict[str, Any] = {
        "type": "object",
        "properties": {column.name: _column(column) for column in table.columns},
        "required": [c.name for c in table.columns if not (c.nullable or c.has_default or c.generated)],
    }
    return described | ({"description": table.comment} if table.comment else {})


def _column(column: Column) -> dict[str, Any]:
    if column.is_json:
        described: dict[str, Any] = {}  # any JSON
    elif column.category == "A":
        described = {"type": ["array", "null"] if column.nullable else "array", "items": {}}
    else:
        kind, form = _FORMATS.get(column.type, ("string", None))
        described = {"type": [kind, "null"] if column.nullable else kind} | ({"format": form} if form else {})
    if column.values and not column.nullable:
        described["enum"] = list(column.values)
    if column.generated:
        described["readOnly"] = True
    return described | ({"description": column.comment} if column.comment else {})


def _collection(table: Table, role: str) -> dict[str, Any]:
    rows = {"type": "array", "items": {"$ref": f"#/components/schemas/{_reference(table)}"}}
    filters = [_parameter(name) for name in _PARAMETERS] + [_parameter(column.name) for column in table.columns]
    return {
        method: _operation(table, method, rows, filters if method == "get" else filters[len(_PARAMETERS) :])
        for method, privilege in _METHODS.items()
        if privilege in table.grants.get(role, ())
    }


def _row(table: Table, role: str) -> dict[str, Any]:
    row = {"$ref": f"#/components/schemas/{_reference(table)}"}
    identifier = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return {
        method: _operation(table, method, row, identifier)
        for method, privilege in (*_METHODS.items(), ("put", "update"))
        if method != "post" and privilege in table.grants.get(role, ())
    }


def _operation(table: Table, method: str, result: dict[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    content = {"application/json": {"schema": result}}
    operation: dict[str, Any] = {
        "tags": [_reference(table)],
        "parameters": [] if method == "post" else parameters,
        "responses": {"201" if method == "post" else "200": {"description": "Rows", "content": content}},
    }
    if method in ("post", "patch", "put"):
        row = {"$ref": f"#/components/schemas/{_reference(table)}"}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": row}}}
    return operation


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}


def _function(function: Function) -> dict[str, Any]:
    properties = {argument.name: {"description": argument.type} for argument in function.arguments}
    required = [argument.name for argument in function.arguments if argument.required]
    body = {"type": "object", "properties": properties, "required": required}
    operation: dict[str, Any] = {
        "tags": ["functions"],
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {"200": {"description": "The function's result", "content": {"application/json": {"schema": {}}}}},
    }
    return {"post": operation | ({"description": function.comment} if function.comment else {})}

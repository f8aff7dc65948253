"""What a statement returns of each row, and in which order."""

from fluxbase.rest.compiler.scope import Scope
from fluxbase.rest.compiler.statement import quoted, typed
from fluxbase.rest.errors import InvalidQueryError
from fluxbase.rest.query import Field, Order, Selection

# What `::` may name in a select; the right side is ours, so nothing of the client reaches the text.
_CASTS = {
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
_MOST_FIELDS = 50  # json_build_object takes 100 arguments


def columns_and_result(selection: Selection, scope: Scope) -> tuple[str, str]:
    """The columns to take of `t`, and what becomes of them, as `r`, in the array that is answered.

    Raises:
        UnknownColumnError: 400.
        InvalidQueryError: 400: a type that is not known, too many columns, related tables.
    """
    if selection.embeds:
        raise InvalidQueryError("Related tables cannot be embedded here.")
    fields = selection.fields
    if not fields:
        return "t.*", "r.*"
    if all(not field.path.steps and field.cast is None and field.alias is None for field in fields):
        return ", ".join(f"t.{quoted(scope.column(field.path.column).name)}" for field in fields), "r.*"
    if len(fields) > _MOST_FIELDS:
        raise InvalidQueryError(f"select takes at most {_MOST_FIELDS} columns when one of them is renamed or cast.")
    pairs = ", ".join(f"{scope.values.text(field.name)}, {_value(field, scope)}" for field in fields)
    return f"pg_catalog.json_build_object({pairs}) AS o", "r.o"


def order_by(keys: tuple[Order, ...], scope: Scope) -> str:
    """The clause, empty without keys.

    Raises:
        UnknownColumnError: 400.
        InvalidQueryError: 400.
    """
    return f" ORDER BY {', '.join(_key(key, scope) for key in keys)}" if keys else ""


def _value(field: Field, scope: Scope) -> str:
    sql = scope.operand(field.path).sql
    if field.cast is None:
        return sql
    if field.cast not in _CASTS:
        raise InvalidQueryError(f"select casts to one of {', '.join(_CASTS)}.")
    return f"({sql})::{typed(_CASTS[field.cast])}"


def _key(key: Order, scope: Scope) -> str:
    direction = " DESC" if key.descending else ""
    nulls = "" if key.nulls_first is None else f" NULLS {'FIRST' if key.nulls_first else 'LAST'}"
    return f"{scope.operand(key.path).sql}{direction}{nulls}"

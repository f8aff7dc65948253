"""The WHERE of a statement."""

from fluxbase.rest.compiler.scope import STRING, Operand, Scope
from fluxbase.rest.compiler.statement import Values, typed
from fluxbase.rest.errors import InvalidQueryError
from fluxbase.rest.query import FULL_TEXT, Condition, Group, Operator

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
    Operator.LIKE: "~~",
    Operator.ILIKE: "~~*",
}
_BUILT_IN = {operator: f"OPERATOR(pg_catalog.{sign})" for operator, sign in _INFIX.items()}
_TEXT_SEARCH = {
    Operator.FTS: "pg_catalog.to_tsquery",
    Operator.PLAIN_FTS: "pg_catalog.plainto_tsquery",
    Operator.PHRASE_FTS: "pg_catalog.phraseto_tsquery",
    Operator.WEB_FTS: "pg_catalog.websearch_to_tsquery",
}
_IS = {
    "null": "IS NULL",
    "not_null": "IS NOT NULL",
    "true": "IS TRUE",
    "false": "IS FALSE",
    "unknown": "IS UNKNOWN",
}
_AS_TEXT = frozenset(("text", "character varying"))
_ARRAY, _BOOLEAN = "A", "B"


def where(group: Group, scope: Scope) -> str:
    """The clause, empty without conditions.

    Raises:
        UnknownColumnError: 400.
        InvalidQueryError: 400: an operator that the column's type has no use for, empty brackets.
    """
    return f" WHERE {_group(group, scope)}" if group else ""


def _group(group: Group, scope: Scope) -> str:
    if not group.members:
        raise InvalidQueryError("A pair of brackets holds no condition.")
    joined = (" OR " if group.any else " AND ").join(_member(member, scope) for member in group.members)
    return f"NOT ({joined})" if group.negated else joined


def _member(member: Condition | Group, scope: Scope) -> str:
    if isinstance(member, Group):
        return f"({_group(member, scope)})"
    sql = _condition(member, scope)
    return f"NOT ({sql})" if member.negated else sql


def _condition(condition: Condition, scope: Scope) -> str:
    operand = scope.operand(condition.path)
    operator, value = condition.operator, condition.value
    if operator is Operator.IN:
        return _one_of(operand, value, scope.values)
    assert isinstance(value, str)  # noqa: S101 -- only `in` has a list; the parser and this agree on it
    if operator is Operator.IS:
        return _is(operand, value)
    if operator in FULL_TEXT:
        return _text_search(operand, operator, value, condition.language, scope.values)
    if operator in (Operator.LIKE, Operator.ILIKE):
        if operand.category != STRING:
            operand = Operand(f"({operand.sql})::pg_catalog.text", "text", STRING)
        return f"{operand.sql} {_sign(operand, operator)} {scope.values.text(value.replace('*', '%'))}"
    cast = "" if operand.type in _AS_TEXT else f"::{typed(operand.type)}"
    return f"{operand.sql} {_sign(operand, operator)} {scope.values.text(value)}{cast}"


def _sign(operand: Operand, operator: Operator) -> str:
    return (_BUILT_IN if operand.built_in else _INFIX)[operator]


def _one_of(operand: Operand, listed: str | tuple[str, ...], values: Values) -> str:
    if operand.category == _ARRAY:
        raise InvalidQueryError("in compares single values; arrays are compared by cs, cd and ov.")
    cast = "" if operand.type == "text" else f"::{typed(operand.type)}[]"
    return f"{operand.sql} {_sign(operand, Operator.EQ)} ANY ({values.texts(listed)}{cast})"


def _is(operand: Operand, value: str) -> str:
    if not value.endswith("null") and operand.category != _BOOLEAN:
        raise InvalidQueryError(f"is.{value} is for columns of type boolean.")
    return f"{operand.sql} {_IS[value]}"


def _text_search(operand: Operand, operator: Operator, value: str, language: str | None, values: Values) -> str:
    configuration = f"{values.text(language)}::pg_catalog.regconfig, " if language is not None else ""
    words = f"{_TEXT_SEARCH[operator]}({configuration}{values.text(value)})"
    if operand.type == "tsvector":
        return f"{operand.sql} OPERATOR(pg_catalog.@@) {words}"
    if operand.category != STRING and operand.type != "jsonb":
        raise InvalidQueryError(f"{operator.value} searches columns of type tsvector, text or jsonb.")
    return f"pg_catalog.to_tsvector({configuration}{operand.sql}) OPERATOR(pg_catalog.@@) {words}"

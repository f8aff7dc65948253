"""Which statements PostgreSQL needs to plan only once."""

from fluxbase.rest.catalog import Table
from fluxbase.rest.query import Condition, Group, Insert, Operator, Query, Read, Update

_LARGEST_PLANNED = 8192  # a kept plan takes its values as a literal, which a large body would make slow


def has_one_plan(table: Table, query: Query) -> bool:
    """Whether the best plan is the same whoever asks: rows are made, or found by the whole primary key."""
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

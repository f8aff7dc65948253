"""For whom PostgreSQL needs to plan a statement only once."""

from enum import Enum

from fluxbase.rest.catalog import Table
from fluxbase.rest.query import Condition, Group, Insert, Operator, Query, Read, Update

_LARGEST_PLANNED = 8192  # a kept plan takes its values as a literal, which a large body would make slow


class PlannedFor(Enum):
    """How long the best plan stays the best.

    Attributes:
        REQUEST: It depends on the values, as of a filter, or perhaps on the claims: plan again each time.
        USER: It depends on how many rows the caller has: one plan for each of them.
        ROLE: It is the same for all: rows are made, or found by the whole primary key.
    """

    REQUEST = "request"
    USER = "user"
    ROLE = "role"


def planned_for(table: Table, query: Query, values: tuple[str, ...]) -> PlannedFor:
    """Who may share a plan of `query`, whose statement takes `values`."""
    if not table.plan_keeps:
        return PlannedFor.REQUEST
    if _finds_by_key(table, query):
        return PlannedFor.ROLE
    if isinstance(query, Read) and not values:
        return PlannedFor.USER
    return PlannedFor.REQUEST


def _finds_by_key(table: Table, query: Query) -> bool:
    if isinstance(query, Insert):
        return len(query.body) <= _LARGEST_PLANNED
    if isinstance(query, Update) and len(query.body) > _LARGEST_PLANNED:
        return False
    where = query.where
    if where.any or where.negated or not table.primary_key:
        return False
    named = {_named_by(member) for member in where.members}
    return named.issuperset(table.primary_key) and not (isinstance(query, Read) and query.total)


def _named_by(member: Condition | Group) -> str | None:
    """The column that has one value by this condition."""
    if isinstance(member, Group) or member.operator is not Operator.EQ or member.negated or member.path.steps:
        return None
    return member.path.column

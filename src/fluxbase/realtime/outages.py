"""Which errors pass by themselves, and which are the fault of a row or a policy."""

import asyncpg

from fluxbase.db import OUTAGES

# Of connections, resources, a server that stops, collisions, and passwords: SQLSTATEs by their first letters.
_PASSING = ("08", "28", "53", "57P", "40", "55P03", "25P03", "25P04")


def will_pass(error: Exception) -> bool:
    """Whether `error` says that PostgreSQL is away or overloaded: then the same is tried again.

    Whatever else PostgreSQL raises comes from what it was asked: a policy may raise any code it likes.
    """
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_PASSING)
    return isinstance(error, OUTAGES) and not isinstance(error, ValueError)  # asyncpg's own for wrong arguments

"""How long statements take, told to whoever counts them.

asyncpg's own query loggers do more, on the path of every request: a record and a callback through the loop for each
statement, for BEGIN and COMMIT too.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import asyncpg

type Observer = Callable[[float, bool], None]
"""Called with the seconds that a statement took, and whether it succeeded."""


class Statements:
    """Where the connections of a pool tell of their statements; `observer` may be set after the pool was opened."""

    def __init__(self) -> None:
        self.observer: Observer | None = None


if TYPE_CHECKING:
    _Base = asyncpg.Connection[asyncpg.Record]
else:
    _Base = asyncpg.Connection


class CountedConnection(_Base):
    """A connection that tells of each statement with parameters or rows; what frames a transaction is not one."""

    statements: Statements | None = None

    async def _execute(self, *args: Any, **named: Any) -> Any:
        parent: Any = super()  # what fetch, fetchrow, fetchval and execute all come to; the stubs do not show it
        observer = self.statements.observer if self.statements is not None else None
        if observer is None:
            return await parent._execute(*args, **named)  # noqa: SLF001 -- our own parent's
        started, succeeded = time.perf_counter(), False
        try:
            result = await parent._execute(*args, **named)  # noqa: SLF001 -- our own parent's
            succeeded = True
        finally:
            observer(time.perf_counter() - started, succeeded)
        return result

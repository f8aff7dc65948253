"""Run a compiled statement as the caller, and hand its JSON on as bytes."""

from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from fluxbase.db import Claims, Database
from fluxbase.rest.compiler import Statement
from fluxbase.rest.problems import refusal_of


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement answered.

    Attributes:
        body: JSON, UTF-8: an array of rows, or a function's result; None when there is none.
        rows: How many rows it has, or how many were changed.
        total: How many there are without a limit, when that was asked for.
    """

    body: bytes | None
    rows: int = 1
    total: int | None = None


class Executor:
    """Runs statements on a database, each in a transaction of its own, none longer than `statement_timeout`."""

    def __init__(self, database: Database, statement_timeout: timedelta) -> None:
        self._database = database
        self._timeout = statement_timeout

    async def run(self, claims: Claims, statement: Statement, *, read_only: bool = False) -> Answer:
        """Run `statement` as `claims`.

        Raises:
            ProblemError: The statement was refused: a constraint, a policy, a type, a timeout.
            SessionEndedError: 401.
            OSError, TimeoutError, asyncpg.PostgresError: The database does not answer.
        """
        try:
            return await self._run(claims, statement, read_only)
        except asyncpg.InvalidCachedStatementError:
            # A table was changed under a prepared statement. Preparing is not possible inside the broken transaction;
            # asyncpg has forgotten the statement, so a new one finds the table as it is now.
            return await self._run(claims, statement, read_only)
        except asyncpg.PostgresError as error:
            refusal = refusal_of(error, claims.role)
            if refusal is None:
                raise
            raise refusal from error

    async def _run(self, claims: Claims, statement: Statement, read_only: bool) -> Answer:  # noqa: FBT001 -- of `run`
        async with self._database.transaction(
            claims, statement_timeout=self._timeout, read_only=read_only
        ) as connection:
            row = await connection.fetchrow(statement.sql, *statement.values)
        if row is None:
            return Answer(None, 0)
        body: str | None = row[0]
        return Answer(None if body is None else body.encode(), *row[1:] if len(row) > 1 else ())

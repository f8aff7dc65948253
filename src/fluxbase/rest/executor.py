"""Run a compiled statement as the caller, and hand its JSON on as bytes."""

from datetime import timedelta
from typing import NamedTuple

import asyncpg
from fastapi import FastAPI

from fluxbase.db import Claims, Database, Work
from fluxbase.rest.compiler import Statement
from fluxbase.rest.compiler.planning import PlannedFor
from fluxbase.rest.problems import refusal_of
from fluxbase.rest.sharing import Sharing


class Answer(NamedTuple):
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
    """Runs statements on a database, each in a transaction of its own.

    None takes longer than `statement_timeout` or answers more than `most_bytes`. Answers of costly ones are shared by
    those who ask with the same claims.
    """

    def __init__(
        self, database: Database, statement_timeout: timedelta, most_bytes: int, sharing: Sharing[asyncpg.Record]
    ) -> None:
        self._database = database
        self._timeout = statement_timeout
        self._most_bytes = most_bytes
        self._sharing = sharing

    async def run(self, claims: Claims, statement: Statement, *, read_only: bool = False) -> Answer:
        """Run `statement` as `claims`.

        Raises:
            ProblemError: The statement was refused: a constraint, a policy, a type, a timeout.
            AnswerTooLargeError: 400.
            SessionEndedError: 401.
            OSError, TimeoutError, asyncpg.PostgresError: The database does not answer.
        """
        try:
            row = await self._row(claims, statement, self._work(claims, statement, read_only=read_only))
        except asyncpg.PostgresError as error:
            refusal = refusal_of(error, claims.role)
            if refusal is None:
                raise
            raise refusal from error
        body: str | None = row["body"]
        return Answer(None if body is None else body.encode(), row["row_count"] or 0, row["total"])

    async def _row(self, claims: Claims, statement: Statement, work: Work) -> asyncpg.Record:
        if not statement.costly:
            return await self._database.run(claims, work)
        key = claims.role, claims.as_json(), claims.session_id, statement.sql, statement.values
        return await self._sharing.ask(key, lambda: self._database.run(claims, work))

    def _work(self, claims: Claims, statement: Statement, *, read_only: bool) -> Work:
        return Work(
            statement.sql,
            statement.values,
            self._timeout,
            self._most_bytes,
            read_only=read_only,
            plan_of=_sharers(claims, statement.planned_for),
            foreign_code=statement.calls_function,
        )


def _sharers(claims: Claims, planned_for: PlannedFor) -> str | None:
    match planned_for:
        case PlannedFor.REQUEST:
            return None
        case PlannedFor.USER:
            return f"{claims.role} {claims.sub}"
        case PlannedFor.ROLE:
            return claims.role


def executor_of(app: FastAPI) -> Executor:
    """The executor of an application, made when first asked for; `app.state.resources` must be open."""
    state = app.state
    executor: Executor | None = getattr(state, "rest_executor", None)
    if executor is None:
        timeout, most_bytes = state.settings.rest_statement_timeout, state.settings.rest_max_response_bytes
        executor = state.rest_executor = Executor(state.resources.database, timeout, most_bytes, Sharing())
    return executor

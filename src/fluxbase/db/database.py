"""A pool of connections, handed out only inside a transaction that runs as a role with claims.

Every setting is transaction-local, so a connection needs no reset when it goes back (measured: +52 % with RLS). BEGIN,
role, claims and the check of the session go to the server as one message: one round trip instead of two.
"""

import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, NamedTuple, Self, override
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from fluxbase.db.plans import FORGET, Plans
from fluxbase.db.pool import Pool
from fluxbase.db.statements import CountedConnection, Statements
from fluxbase.errors import AnswerTooLargeError, SessionEndedError, StatementTimeoutError

type Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

_RUN = "SELECT body, row_count, total FROM rest.run($1, $2, $3, $4, $5, $6, $7, $8)"
_SESSION_ENDED = "FBSES"  # raised by auth.require_session
_TOO_LARGE = "FBBIG"  # raised by rest.run
_FORGOTTEN = "26000"  # a prepared statement is not there
# What code of the operator's may leave behind in a session: asyncpg's own reset, and temporary tables.
_RESET = (
    "RESET ROLE; SELECT pg_catalog.pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL; "
    "DISCARD TEMP; DISCARD SEQUENCES"
)


@dataclass(frozen=True)
class Claims:
    """Who a transaction runs for: a database role, and what `auth.jwt()` tells the policies.

    `role` is anon, authenticated or service_role; `extra` is merged into the claims as it is. With a `session_id` every
    transaction first makes sure that the session still lives: whoever deletes its row ends it at once. `text` is what
    `as_json` would make of the rest, where somebody has it already.
    """

    role: str
    sub: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    session_id: UUID | None = None
    text: str | None = field(default=None, compare=False, repr=False)

    def as_json(self) -> str:
        """The claims as the JSON text that `request.jwt.claims` holds."""
        return self._json

    @cached_property
    def _json(self) -> str:
        if self.text is not None and self.text.isascii():
            return self.text
        claims = {"role": self.role, **self.extra}
        if self.sub is not None:
            claims["sub"] = self.sub
        return json.dumps(claims)


class Work(NamedTuple):
    """One statement for `Database.run`.

    Attributes:
        statement: Takes `$1`, an array of text, and answers one row of `body`, `row_count` and `total`.
        parameters: The elements of `$1`.
        longest: After this it is cancelled.
        most_bytes: `body` may not be longer.
        read_only: In a read-only transaction.
        plan_of: Who shares its plan, which is made once and kept; None when it is to be made anew.
        foreign_code: It calls a function of the operator's, which may change settings of the session.
    """

    statement: str
    parameters: Sequence[str]
    longest: timedelta
    most_bytes: int
    read_only: bool = False
    plan_of: str | None = None
    foreign_code: bool = False


ANONYMOUS = Claims("anon")
SERVICE = Claims("service_role")


async def _reset(connection: Any) -> None:
    """Stand in for asyncpg's reset: nothing of ours outlives a transaction, but what a function sets may."""
    if connection.touched:
        await connection.execute(_RESET)
        connection.touched = False


class _Connection(CountedConnection):
    """A connection whose next BEGIN brings more statements along, and that knows which plans it keeps."""

    _beside_begin = ""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.touched = False  # somebody else's code ran, which may have changed the session
        self.plans = Plans()

    def touch(self) -> None:
        """Reset the session when this connection goes back to the pool."""
        self.touched = True

    def begin_with(self, sql: str) -> None:
        """Send `sql` in the same message as the next BEGIN."""
        self._beside_begin = sql

    @override
    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        if self._beside_begin and query.startswith("BEGIN"):
            query, self._beside_begin = query + self._beside_begin, ""
        return await super().execute(query, *args, timeout=timeout)


async def _run(connection: Any, claims: Claims, work: Work) -> asyncpg.Record:
    plans: Plans = connection.plans
    sharers = work.plan_of
    name, statement = (None, work.statement) if sharers is None else plans.of(sharers, work.statement)
    if plans.too_many:
        await connection.execute(FORGET)
        plans.forget()
        return await _run(connection, claims, work)
    who = (claims.role, claims.as_json(), claims.session_id, work.read_only)
    what = (statement, work.parameters, work.most_bytes, name)
    row = await connection.fetchrow(_RUN, *who, *what, timeout=work.longest.total_seconds())
    if name is not None:
        plans.keep(name)
    return row


def _too_large(size: str, most: int) -> str:
    return f"The answer has {size} bytes; at most {most} are sent. Ask for fewer rows or columns. Nothing was changed."


def _becoming(claims: Claims) -> str:
    """The statements that make a transaction `claims`'s."""
    settings = {"role": claims.role, "request.jwt.claims": claims.as_json()}
    calls = ", ".join(f"pg_catalog.set_config('{name}', {_literal(value)}, true)" for name, value in settings.items())
    session = f"; SELECT auth.require_session({_literal(str(claims.session_id))})" if claims.session_id else ""
    return f"SELECT {calls}{session}"


def _literal(text: str) -> str:
    # One message of several statements cannot have parameters. An E'' string means the same whatever
    # standard_conforming_strings says; the claims are JSON in ASCII, so no encoding can hide a quote.
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


async def _speak_json(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


class Database:
    """The runtime's pool. Open with `Database.open`, close with `close`."""

    def __init__(self, pool: Pool, statements: Statements) -> None:
        self.pool = pool
        self.statements = statements
        self.transactions: Counter[str] = Counter()  # begun so far, by role: a metric

    @property
    def waiting(self) -> int:
        """Transactions that wait for a connection now: a metric."""
        return self.pool.waiting

    @classmethod
    async def open(cls, dsn: str, *, max_connections: int = 10, application_name: str = "fluxbase") -> Self:
        """Connect to `dsn`.

        Raises:
            OSError, asyncpg.PostgresError: The server cannot be reached or refuses.
        """
        statements = Statements()

        async def prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
            await _speak_json(connection)
            if isinstance(connection, CountedConnection):
                connection.statements = statements

        pool = await asyncpg.create_pool(
            dsn,
            connection_class=_Connection,
            min_size=1,
            max_size=max_connections,
            init=prepare,
            reset=_reset,
            max_inactive_connection_lifetime=60,
            command_timeout=60,
            server_settings={"application_name": application_name, "jit": "off"},
        )
        return cls(Pool(pool), statements)

    async def close(self) -> None:
        """Wait for transactions under way, then close every connection."""
        await self.pool.close()

    @asynccontextmanager
    async def transaction(
        self,
        claims: Claims = SERVICE,
        *,
        timeout_seconds: float = 30,
    ) -> AsyncGenerator[Connection]:
        """A connection inside a transaction that runs as `claims`; commits unless the block raises.

        `timeout_seconds` bounds the wait for a free connection.

        Raises:
            TimeoutError: No connection became free in time.
            SessionEndedError: The session of `claims` has ended.
        """
        connection = await self.pool.acquire(timeout_seconds)
        try:
            connection.begin_with(_becoming(claims))
            async with connection.transaction():
                self.transactions[claims.role] += 1
                yield connection
        except BaseException as error:
            await self._discard(connection, error)
            if isinstance(error, asyncpg.PostgresError) and error.sqlstate == _SESSION_ENDED:
                raise SessionEndedError from error
            raise
        await self._done_with(connection)

    async def run(self, claims: Claims, work: Work, *, wait_seconds: float = 30) -> asyncpg.Record:
        """Do `work` as `claims`, in a transaction of its own, in one round trip (`rest.run`).

        The row has `body` (text) and perhaps `row_count` and `total` (numbers). `wait_seconds` bounds the wait for a
        free connection.

        Raises:
            StatementTimeoutError: It took longer than it may.
            AnswerTooLargeError: 400, `body` is longer than it may be; nothing was changed.
            TimeoutError: No connection became free in time.
            SessionEndedError: The session of `claims` has ended.
        """
        connection = await self.pool.acquire(wait_seconds)
        self.transactions[claims.role] += 1
        try:
            if work.foreign_code:
                connection.touch()
            row = await _run(connection, claims, work)
        except BaseException as error:
            await self._discard(connection, error)
            if (named := _named(error, work)) is not None:
                raise named from error
            raise
        await self._done_with(connection)
        return row

    async def _done_with(self, connection: Any) -> None:
        if getattr(connection, "touched", True):  # it has no attributes once the server has ended it
            await self.pool.discard(connection)
        else:
            self.pool.release(connection)

    async def _discard(self, connection: Any, error: BaseException) -> None:
        if isinstance(error, asyncpg.PostgresError) and error.sqlstate == _FORGOTTEN:
            # Somebody's DEALLOCATE ALL took what asyncpg and we had prepared: it would fail for everybody from now on.
            connection.terminate()
        await self.pool.discard(connection)


def _named(error: BaseException, work: Work) -> Exception | None:
    """The error that says what happened, where PostgreSQL's or asyncpg's own does not."""
    if isinstance(error, TimeoutError):
        return StatementTimeoutError()
    sqlstate = error.sqlstate if isinstance(error, asyncpg.PostgresError) else None
    if sqlstate == _SESSION_ENDED:
        return SessionEndedError()
    if sqlstate == _TOO_LARGE:
        return AnswerTooLargeError(_too_large(str(error), work.most_bytes))
    return None

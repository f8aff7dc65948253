"""Decisions as rows. Takes the connection, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flakeguard.quarantine.decisions import Latest, Standing, State
from fluxbase.db import Connection, load

SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A test that a review is about; `decision_id` and `latest` are of its latest decision, if it has one."""

    test_case_id: int
    standing: Standing
    decision_id: int | None
    latest: Latest | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision about to be written: whose, and what was known when it was made."""

    test_case_id: int
    score: float
    confidence: float
    rationale: str


@dataclass(frozen=True, slots=True)
class Decider:
    """Who decides: a user, or only a name (`@login` of GitHub, the policy)."""

    name: str
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """An open decision about to be closed. Nothing happens when it is `was` no longer."""

    decision_id: int
    was: State
    state: State
    reason: str


async def propose(
    connection: Connection, project_id: int, drafts: Sequence[Draft], *, until: datetime, now: datetime
) -> list[int]:
    """Propose what has no open decision; the tests that were proposed."""
    rows = await connection.fetch(SQL["propose"], project_id, until, now, *_columns(drafts))
    return [test for (test,) in rows]


async def activate(
    connection: Connection,
    project_id: int,
    drafts: Sequence[Draft],
    *,
    until: datetime,
    now: datetime,
    decider: Decider,
) -> list[int]:
    """Quarantine what is not; the tests that were. A proposal keeps what it was made for."""
    rows = await connection.fetch(
        SQL["activate"], project_id, until, now, *_columns(drafts), decider.user_id, decider.name
    )
    return [test for (test,) in rows]


async def dismiss(
    connection: Connection, project_id: int, tests: Sequence[int], *, until: datetime, now: datetime, decider: Decider
) -> list[int]:
    """Say no to what is proposed; the tests that it was said of."""
    rows = await connection.fetch(SQL["dismiss"], project_id, tests, until, now, decider.user_id, decider.name)
    return [test for (test,) in rows]


async def open_of_tests(connection: Connection, tests: Sequence[int], now: datetime) -> dict[int, Latest]:
    """Open decisions of these tests, but for those past their day that no review has ended yet."""
    rows = await connection.fetch(SQL["open_of_tests"], tests, now)
    return {test: Latest(State(state), until) for test, state, until in rows}


async def scores(connection: Connection, project_id: int, tests: Sequence[int]) -> dict[int, float]:
    """The score of each of these tests of a project."""
    rows = await connection.fetch(SQL["scores"], project_id, tests)
    return {row["test_case_id"]: row["score"] for row in rows}


async def close(connection: Connection, project_id: int, endings: Sequence[Ending], *, now: datetime) -> list[State]:
    """End open decisions; the states of those that were ended."""
    rows = await connection.fetch(
        SQL["close"], project_id, now,
        [one.decision_id for one in endings], [str(one.was) for one in endings],
        [str(one.state) for one in endings], [one.reason for one in endings],
    )  # fmt: skip
    return [State(state) for (state,) in rows]


def _columns(drafts: Sequence[Draft]) -> tuple[list[int], list[float], list[float], list[str]]:
    return (
        [draft.test_case_id for draft in drafts],
        [draft.score for draft in drafts],
        [draft.confidence for draft in drafts],
        [draft.rationale for draft in drafts],
    )

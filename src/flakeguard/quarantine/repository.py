"""Decisions as rows. Takes the connection, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flakeguard.quarantine.decisions import OPEN, Latest, Standing, State
from fluxbase.db import Connection, fetch_page, load

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


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision about a test, as it is shown.

    Attributes:
        score: of the test when it was proposed, or else decided.
        confidence: odds, then, that its newest failure was a flake.
        decider: who decided: an e-mail address, `@login` of GitHub, or the policy; None while it is proposed.
        ender: who ended it; None for what ended by itself.
    """

    id: int
    test_case_id: int
    state: State
    score: float
    confidence: float
    rationale: str
    until: datetime
    proposed_at: datetime | None
    decided_at: datetime | None
    decider: str | None
    ended_at: datetime | None
    ender: str | None
    end_reason: str | None

    @property
    def is_open(self) -> bool:
        """Whether it still holds."""
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class ListedDecision:
    """A decision in a project's list, with its test."""

    decision: Decision
    suite: str
    file: str | None
    class_name: str
    name: str
    variant: str
    verdict: str
    last_failed_at: datetime | None


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
    """Quarantine what is not; the tests that were. What was proposed is decided."""
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


async def end(
    connection: Connection, project_id: int, tests: Sequence[int], *, now: datetime, decider: Decider
) -> list[int]:
    """End the quarantine of these tests; those that were in one."""
    rows = await connection.fetch(SQL["end"], project_id, tests, now, decider.user_id, decider.name)
    return [test for (test,) in rows]


async def list_decisions(
    connection: Connection, project_id: int, *, is_open: bool, limit: int, offset: int
) -> tuple[list[ListedDecision], int]:
    """A project's open decisions (proposed ones first, then what ends first) or ended ones (newest first); how many."""
    rows, total = await fetch_page(connection, SQL["list_decisions"], project_id, is_open, limit=limit, offset=offset)
    return [_listed(row) for row in rows], total


async def decisions_of_test(connection: Connection, project_id: int, test_case_id: int, limit: int) -> list[Decision]:
    """A test's decisions, newest first."""
    rows = await connection.fetch(SQL["decisions_of_test"], project_id, test_case_id, limit)
    return [_decision(row) for row in rows]


async def test_exists(connection: Connection, project_id: int, test_case_id: int) -> bool:
    """Whether the project has the test."""
    return bool(await connection.fetchval(SQL["test_exists"], project_id, test_case_id))


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
    """In the tests' order, so that two who decide on the same tests wait for each other and not in a circle."""
    drafts = sorted(drafts, key=lambda draft: draft.test_case_id)
    return (
        [draft.test_case_id for draft in drafts],
        [draft.score for draft in drafts],
        [draft.confidence for draft in drafts],
        [draft.rationale for draft in drafts],
    )


def _decision(row: Any) -> Decision:
    fields = {name: row[name] for name in Decision.__slots__ if name != "state"}
    return Decision(state=State(row["state"]), **fields)


def _listed(row: Any) -> ListedDecision:
    names = ("suite", "file", "class_name", "name", "variant", "verdict", "last_failed_at")
    return ListedDecision(_decision(row), **{name: row[name] for name in names})

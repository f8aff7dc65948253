"""Windows, runs and verdicts as rows. Takes the connection, never commits."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flakeguard.analysis.findings import findings
from flakeguard.analysis.model import Analysis, Run, Verdict
from flakeguard.analysis.states import Windows
from fluxbase.db import Connection, load

SQL = load(__package__)
JOB_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class StoredState:
    """What `flake_stats` says of a test before it is analysed again."""

    test_case_id: int
    windows: Windows
    verdict: Verdict
    score: float
    failures: int
    group: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What an analysis says of a test, and what the run adds to its lifetime counters."""

    state: StoredState
    windows: Windows
    analysis: Analysis
    new_runs: int = 0
    new_failures: int = 0
    new_flakes: int = 0
    duration_ms: float | None = None
    failed_now: bool = False

    @property
    def unremarkable(self) -> bool:
        """Whether nothing but the window changes: it passed, as ever."""
        return (
            self.windows.quiet
            and self.state.verdict is self.analysis.verdict
            and self.state.score == 0
            and self.state.failures == 0
        )

    @property
    def changed(self) -> bool:
        """Whether the verdict changed in a way that anybody wants to hear of."""
        dull = (Verdict.UNPROVEN, Verdict.STABLE)
        before, after = self.state.verdict, self.analysis.verdict
        return before is not after and not (before in dull and after in dull)


async def load_runs(connection: Connection, run_ids: Iterable[int]) -> dict[int, Run]:
    """Runs by id; an id that is gone is left out."""
    rows = await connection.fetch(SQL["runs"], list(run_ids))
    return {
        row["id"]: Run(
            id=row["id"],
            executed_at=row["executed_at"],
            key=row["key"],
            commit=row["sha"],
            branch=row["branch"],
            job=f"{row['job']}{JOB_SEPARATOR}{row['variant']}",
            outage=row["outage"],
            mass_failures=frozenset(row["mass_failures"]),
        )
        for row in rows
    }


async def load_states(connection: Connection, test_case_ids: Collection[int]) -> dict[int, StoredState]:
    """What is known of these tests."""
    rows = await connection.fetch(SQL["states"], list(test_case_ids))
    return {
        row["test_case_id"]: StoredState(
            row["test_case_id"],
            Windows(row["window_all"], row["window_default"]),
            Verdict(row["verdict"]),
            row["score"],
            row["failures"],
            row["test_group"],
        )
        for row in rows
    }


async def save(
    connection: Connection,
    judged: Sequence[Judged],
    *,
    project_id: int,
    run_id: int | None,
    executed_at: datetime | None,
    now: datetime,
) -> None:
    """Write what an analysis found; `executed_at` is the run's time, None when no run caused it."""
    advancing = [one for one in judged if one.unremarkable and executed_at is not None]
    others = [one for one in judged if not (one.unremarkable and executed_at is not None)]
    if advancing:
        await connection.execute(
            SQL["advance"], executed_at, now,
            [one.state.test_case_id for one in advancing],
            [one.windows.everywhere for one in advancing],
            [one.windows.default for one in advancing],
            [one.analysis.counts.runs for one in advancing],
            [one.new_runs for one in advancing],
            [one.duration_ms for one in advancing],
        )  # fmt: skip
    if others:
        await connection.execute(SQL["save"], executed_at, now, *_columns(others))
    changed = [one for one in others if one.changed]
    if changed:
        await connection.execute(
            SQL["add_changes"], project_id, run_id, now,
            [one.state.test_case_id for one in changed],
            [str(one.state.verdict) for one in changed],
            [str(one.analysis.verdict) for one in changed],
            [one.analysis.score.total for one in changed],
        )  # fmt: skip


def _columns(judged: Sequence[Judged]) -> list[list[object]]:
    return [list(column) for column in zip(*(_row(one) for one in judged), strict=True)]


def _row(one: Judged) -> tuple[object, ...]:
    analysis, score, posterior = one.analysis, one.analysis.score, one.analysis.posterior
    return (
        one.state.test_case_id, one.windows.everywhere, one.windows.default,
        str(analysis.verdict), str(analysis.severity),
        score.total, score.failure_rate, score.inconsistency, score.recency, score.branch_diversity,
        posterior and posterior.low, posterior and posterior.mean, posterior and posterior.high,
        analysis.counts.runs, analysis.counts.failed, findings(analysis),
        {"names": list(analysis.broken_branches)},  # a bare list would be one more dimension of the parameter's array
        one.new_runs, one.new_failures, one.new_flakes, one.duration_ms, one.failed_now,
    )  # fmt: skip

"""Windows, runs and verdicts as rows. Takes the connection, never commits."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

from flakeguard.analysis.findings import findings
from flakeguard.analysis.model import Analysis, Run, Verdict
from flakeguard.analysis.states import Windows
from fluxbase.db import Connection, load

SQL = load(__package__)
JOB_SEPARATOR = "\x1f"
_VERDICTS = {str(verdict): verdict for verdict in Verdict}


class StoredState(NamedTuple):
    """What `flake_stats` says of a test before it is analysed again."""

    test_case_id: int
    windows: Windows
    verdict: Verdict
    score: float
    failures: int
    group: str


@dataclass(frozen=True, slots=True)
class Gain:
    """What a run adds to a test's lifetime counters, and whether it failed in it."""

    runs: int = 0
    failures: int = 0
    flakes: int = 0
    failed_now: bool = False


NO_GAIN = Gain()


class Judged(NamedTuple):
    """What an analysis says of a test, and what the run adds; `duration_ms` is of the run."""

    state: StoredState
    windows: Windows
    analysis: Analysis
    gain: Gain = NO_GAIN
    duration_ms: float | None = None

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
        test: StoredState(test, Windows(everywhere, default), _VERDICTS[verdict], score, failures, group)
        for test, everywhere, default, verdict, score, failures, group in rows
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
    advancing, others = list[Judged](), list[Judged]()
    for one in judged:
        (advancing if one.unremarkable and executed_at is not None else others).append(one)
    if advancing:
        await connection.execute(SQL["advance"], executed_at, now, *_by_windows(advancing))
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


def _by_windows(judged: Sequence[Judged]) -> list[Sequence[object]]:
    """Columns of the distinct windows of tests that passed, each with the places (from 1) of its tests' columns."""
    alike: dict[tuple[Windows, Gain], list[Judged]] = {}
    for one in judged:
        alike.setdefault((one.windows, one.gain), []).append(one)
    lasts = list(accumulate([len(tests) for tests in alike.values()]))
    return [
        [windows.everywhere for windows, _ in alike],
        [windows.default for windows, _ in alike],
        [tests[0].analysis.counts.runs for tests in alike.values()],
        [gain.runs for _, gain in alike],
        [1, *(last + 1 for last in lasts[:-1])],
        lasts,
        [one.state.test_case_id for tests in alike.values() for one in tests],
        [one.duration_ms for tests in alike.values() for one in tests],
    ]


def _columns(judged: Sequence[Judged]) -> list[list[object]]:
    return [list(column) for column in zip(*(_row(one) for one in judged), strict=True)]


def _row(one: Judged) -> tuple[object, ...]:
    analysis, score, posterior, gain = one.analysis, one.analysis.score, one.analysis.posterior, one.gain
    return (
        one.state.test_case_id, one.windows.everywhere, one.windows.default,
        str(analysis.verdict), str(analysis.severity),
        score.total, score.failure_rate, score.inconsistency, score.recency, score.branch_diversity,
        posterior and posterior.low, posterior and posterior.mean, posterior and posterior.high,
        analysis.counts.runs, analysis.counts.failed, findings(analysis),
        {"names": list(analysis.broken_branches)},  # a bare list would be one more dimension of the parameter's array
        gain.runs, gain.failures, gain.flakes, one.duration_ms, gain.failed_now,
    )  # fmt: skip

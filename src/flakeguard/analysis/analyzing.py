"""Analyse what an upload touched; rebuild or age what is known of a whole project.

One analysis of a project at a time (an advisory lock): windows are read, merged and written back.
Cost follows the number of tests in the run, never the length of the history.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from itertools import batched
from typing import Any
from uuid import UUID

import structlog

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.model import Run
from flakeguard.analysis.outage import is_outage, mass_failures
from flakeguard.analysis.repository import SQL, Gain, Judged, StoredState, load_runs, load_states, save
from flakeguard.analysis.states import Judge, rebuild
from flakeguard.analysis.turns import turn
from flakeguard.analysis.window import pack, run_ids
from flakeguard.reports.model import Outcome
from flakeguard.worker.outbox import settle
from fluxbase.db import Connection, Database

logger = structlog.get_logger(__name__)

_BATCH_TESTS = 5_000
_TOUCHED_TESTS = 2_500
_TESTS_AT_A_STRETCH = 250  # some ten milliseconds
_RECOMPUTE_TESTS = 250  # each brings every attempt of the lookback
_PASSED, _FAILED, _ERROR, _ = (f"{outcome:d}" for outcome in Outcome)  # as the column has them


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Distinct tests of a run: `tests` without the skipped ones; `flaked` failed and passed in it."""

    tests: int
    failed: int
    skipped: int
    flaked: int


type Owe = Callable[[Connection, UUID], Awaitable[object]]
"""Owes what follows from an analysed ingestion, in the transaction that analysed it."""

type Tell = Callable[[Sequence[Judged]], None]
"""Hears of tests that were judged."""


type Then = Callable[[Connection, Sequence[int]], Awaitable[object]]
"""Does what follows from tests that were judged, in the transaction that judged them."""


async def _nothing(_connection: Connection, _tests: Sequence[int]) -> None:
    """Nothing follows."""


def _nobody(_judged: Sequence[Judged]) -> None:
    """Nobody wants to hear."""


async def analyze_ingestion(
    database: Database,
    ingestion_id: UUID,
    *,
    job_id: str,
    config: AnalysisConfig,
    now: Callable[[], datetime],
    owe_next: Sequence[Owe] = (),
    tell: Tell = _nobody,
) -> int | None:
    """Analyse the tests of an ingestion; how many were judged, or None when it was done before. Safe to repeat.

    `tell` hears of what was judged once it is committed.
    """
    clock = now()
    found: list[Judged] = []
    # What another analysis of the run decided must be seen, so nothing is read before the lock is had.
    async with turn(database, "lock_project_of_ingestion", ingestion_id) as connection:
        row = await connection.fetchrow(SQL["ingestion_to_analyze"], ingestion_id)
        if row is None or row["state"] != "stored":
            await settle(connection, job_id)
            return None
        reports = [key for (key,) in await connection.fetch(SQL["new_reports"], row["run_id"], ingestion_id)]
        judged, flaked = await analyze_run(
            connection, row["run_id"], reports, config=config, now=clock, tell=found.extend
        )
        await connection.execute(SQL["mark_analyzed"], ingestion_id, flaked, now())
        for owe in owe_next:
            await owe(connection, ingestion_id)
        await settle(connection, job_id)
    tell(found)
    logger.info("analysis completed", ingestion_id=str(ingestion_id), run_id=row["run_id"], tests=judged)
    return judged


async def analyze_run(
    connection: Connection,
    run_id: int,
    new_reports: Sequence[int],
    *,
    config: AnalysisConfig,
    now: datetime,
    tell: Tell = _nobody,
) -> tuple[int, int]:
    """Judge the tests that these reports of a run name; (tests judged, tests that failed and passed in the run).

    When the reports change whether the run is an outage, or which groups failed together in it, all tests of the run
    are judged again. The caller has the project's turn.
    """
    row = await connection.fetchrow(SQL["run"], run_id)
    if row is None:
        return 0, 0
    counts, changed = await _describe_run(connection, row, config)
    # Reports of the run may be stored and wait for an analysis of their own, which will count them.
    counted = [key for (key,) in await connection.fetch(SQL["counted_reports"], run_id)]
    cursor = await connection.cursor(SQL["touched_tests"], run_id, list(new_reports), changed, counted)
    judged = await _judge_touched(connection, row, cursor, config=config, now=now, tell=tell)
    await connection.execute(SQL["notify"], f"{row['project_id']}:{run_id}")
    return judged, counts.flaked


async def _describe_run(connection: Connection, run: Any, config: AnalysisConfig) -> tuple[RunCounts, bool]:
    groups = await connection.fetch(SQL["run_groups"], run["id"])
    counts = RunCounts(*(sum(group[name] for group in groups) for name in ("tests", "failed", "skipped", "flaked")))
    outage = is_outage(counts.tests, counts.failed, config)
    mass = mass_failures(((g["test_group"], g["tests"], g["ever_failed"]) for g in groups), config)
    changed = (outage, mass) != (run["outage"], frozenset(run["mass_failures"]))
    await connection.execute(
        SQL["describe_run"], run["id"], counts.tests, counts.failed, counts.skipped, counts.flaked, outage, sorted(mass)
    )
    return counts, changed


async def _judge_touched(
    connection: Connection, run_row: Any, cursor: Any, *, config: AnalysisConfig, now: datetime, tell: Tell
) -> int:
    """Judge the tests of the cursor, batch by batch; PostgreSQL writes each batch while the next one is judged."""
    count, judged = 0, list[Judged]()
    save_found = partial(
        save,
        connection,
        project_id=run_row["project_id"],
        run_id=run_row["id"],
        executed_at=run_row["executed_at"],
        now=now,
    )
    while touched := await cursor.fetch(_TOUCHED_TESTS):
        states = await load_states(connection, [row["test_case_id"] for row in touched])
        runs = await _runs_of(connection, states.values(), {run_row["id"]})
        judge = Judge(runs, default_branch=run_row["default_branch"], now=now, config=config)
        saving = asyncio.create_task(save_found(judged))
        try:
            judged = await _judge_batch(judge, runs[run_row["id"]], states, touched)
        finally:
            await saving
        tell(judged)
        count += len(judged)
    await save_found(judged)
    return count


async def _judge_batch(
    judge: Judge, run: Run, states: Mapping[int, StoredState], touched: Sequence[Any]
) -> list[Judged]:
    judged: list[Judged] = []
    for some in batched(touched, _TESTS_AT_A_STRETCH):
        judged += [
            _judge(judge, run, states[row["test_case_id"]], row) for row in some if row["test_case_id"] in states
        ]
        await asyncio.sleep(0)  # what else runs here (the batch being saved, BullMQ's locks) wants its turn
    return judged


def _judge(judge: Judge, run: Run, state: StoredState, row: Any) -> Judged:
    _, outcomes, known, new, duration_ms = row
    windows = judge.merged(state.windows, run, _code(outcomes))
    return Judged(state, windows, judge.judge(windows, state.group), _gain(outcomes, known, new), duration_ms)


@lru_cache(maxsize=4096)
def _code(outcomes: str) -> int:
    return pack([Outcome(int(digit)) for digit in outcomes])


@lru_cache(maxsize=4096)
def _gain(outcomes: str, known: str, new: str) -> Gain:
    """What the new attempts of a run add, beside those of it that were counted before."""
    counted = known + new
    return Gain(
        runs=int(bool(counted) and not known),
        failures=int(_failed(counted) and not _failed(known)),
        flakes=int(_flaked(counted) and not _flaked(known)),
        failed_now=_failed(outcomes),
    )


def _failed(outcomes: str) -> bool:
    return _FAILED in outcomes or _ERROR in outcomes


def _flaked(outcomes: str) -> bool:
    return _PASSED in outcomes and _failed(outcomes)


async def _runs_of(connection: Connection, states: Any, also: set[int]) -> Mapping[int, Run]:
    windows = {window for state in states for window in (state.windows.everywhere, state.windows.default) if window}
    return await load_runs(connection, run_ids(windows) | also)


async def reanalyze_project(
    database: Database,
    project_id: int,
    *,
    recompute: bool,
    config: AnalysisConfig,
    now: datetime,
    progress: Callable[[int], None] = lambda _tests: None,
    tell: Tell = _nobody,
    then: Then = _nothing,
) -> int:
    """Judge every test of a project at the clock `now`; how many.

    Ageing (`recompute` false) looks at the stored windows; recomputing rebuilds them from every attempt that is stored.
    Works in batches, each its own transaction, so that uploads are not held up; `tell` hears of each once it is
    committed, `then` within its transaction.
    """
    judged, last = 0, 0
    size = _RECOMPUTE_TESTS if recompute else _BATCH_TESTS
    while True:
        found: list[Judged] = []
        async with turn(database, "lock_project", project_id) as connection:
            page = [row[0] for row in await connection.fetch(SQL["page_of_tests"], project_id, last, size)]
            if not page:
                await connection.execute(SQL["notify"], f"{project_id}:")
                return judged
            await _reanalyze_page(
                connection, project_id, page, recompute=recompute, config=config, now=now, tell=found.extend
            )
            await then(connection, page)
        tell(found)
        judged, last = judged + len(page), page[-1]
        progress(judged)


async def recompute_tests(
    connection: Connection,
    project_id: int,
    tests: list[int],
    *,
    config: AnalysisConfig,
    now: datetime,
    tell: Tell = _nobody,
) -> None:
    """Rebuild what is known of these tests of a project from every attempt that is stored. The caller has its turn."""
    await _reanalyze_page(connection, project_id, tests, recompute=True, config=config, now=now, tell=tell)
    await connection.execute(SQL["notify"], f"{project_id}:")


async def _reanalyze_page(
    connection: Connection,
    project_id: int,
    page: list[int],
    *,
    recompute: bool,
    config: AnalysisConfig,
    now: datetime,
    tell: Tell = _nobody,
) -> None:
    project = await connection.fetchrow(SQL["project"], project_id)
    states = await load_states(connection, page)
    default_branch: str = project["default_branch"] if project else ""
    codes: dict[int, list[tuple[int, int]]] = {test: [] for test in page}
    if recompute:
        for test, run_id, outcomes in await connection.fetch(SQL["events_of_tests"], page, now - config.lookback):
            codes[test].append((run_id, _code(outcomes)))
    runs = await _runs_of(connection, states.values(), {run_id for pairs in codes.values() for run_id, _ in pairs})
    judge = Judge(runs, default_branch=default_branch, now=now, config=config)
    judged: list[Judged] = []
    looked_at: list[Judged] = []
    for test, state in states.items():
        windows = (
            rebuild(codes[test], runs, default_branch=default_branch, size=config.window_size)
            if recompute
            else state.windows
        )
        windows = judge.pruned(windows)
        found = Judged(state, windows, judge.judge(windows, state.group))
        looked_at.append(found)
        if windows != state.windows or not found.unremarkable:  # most tests passed as ever: nothing to write
            judged.append(found)
    await save(connection, judged, project_id=project_id, run_id=None, executed_at=None, now=now)
    tell(looked_at)

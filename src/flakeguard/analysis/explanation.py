"""Is it my change? The failures of one run, each with its answer, odds and the attempts that say so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.explain import explain
from flakeguard.analysis.model import Answer, Explanation, Observation, Run
from flakeguard.analysis.repository import SQL, load_runs
from flakeguard.analysis.window import Decoder, join, known, run_ids
from flakeguard.analysis.wording import ORDER, headline
from flakeguard.reports.model import Outcome
from fluxbase.db import Connection
from fluxbase.errors import NotFoundError

FAILURES_SHOWN = 500
DETAILS_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class FailureExplained:
    """One failing test of the run: who it is, how it failed, and why we think so."""

    test_case_id: int
    suite: str
    file: str | None
    class_name: str
    name: str
    variant: str
    verdict: str
    attempts: tuple[Outcome, ...]
    failure_type: str | None
    message: str | None
    details: str | None
    explanation: Explanation

    @property
    def passed_in_the_end(self) -> bool:
        """Whether a retry within the run passed."""
        return self.attempts[-1] is Outcome.PASSED


@dataclass(frozen=True, slots=True)
class RunExplained:
    """A run and the answers for its failures, `yours` first; `failures_total` counts those beyond the limit too."""

    id: int
    project_id: int
    sha: str
    branch: str
    job: str
    variant: str
    workflow: str | None
    pr_number: int | None
    run_url: str | None
    executed_at: datetime
    default_branch: str
    tests: int
    failed: int
    skipped: int
    flaked: int
    outage: bool
    failures: tuple[FailureExplained, ...]
    failures_total: int

    def count(self, answer: Answer) -> int:
        """How many of the shown failures have this answer."""
        return sum(failure.explanation.answer is answer for failure in self.failures)

    @property
    def headline(self) -> str:
        """The run in one sentence."""
        if not self.failures:
            return "Nothing failed in this run."
        if self.outage:
            return f"This run is an outage: {self.failed} of {self.tests} tests failed. It counts against no test."
        return headline([failure.explanation.answer for failure in self.failures])


async def explain_run(connection: Connection, project_id: int, run_id: int, *, config: AnalysisConfig) -> RunExplained:
    """Answer for every failure of a run, as far as the connection's role may see it.

    Raises:
        NotFoundError: There is no such run in this project.
    """
    row = await connection.fetchrow(SQL["explained_run"], run_id, project_id)
    if row is None:
        raise NotFoundError(f"there is no run {run_id} in this project")
    rows = await connection.fetch(SQL["failures_of_run"], run_id, FAILURES_SHOWN, DETAILS_CHARACTERS)
    windows = {window for failure in rows for window in (failure["window_all"], failure["window_default"]) if window}
    runs = await load_runs(connection, run_ids(windows) | {run_id})
    decoder = Decoder(runs)
    base_known = await connection.fetchval(
        SQL["base_is_known"], project_id, row["default_branch"], row["executed_at"], run_id
    )
    failures = [
        _explain(failure, runs, decoder, run_id, row["default_branch"], base_known=base_known, config=config)
        for failure in rows
    ]
    failures.sort(key=lambda failure: ORDER.index(failure.explanation.answer))
    total = rows[0]["total"] if rows else 0
    return RunExplained(**dict(row), failures=tuple(failures), failures_total=total)


async def newest_run(connection: Connection, project_id: int, sha: str | None, branch: str | None) -> int:
    """The newest run of a commit (a prefix will do) or a branch.

    Raises:
        NotFoundError: None is known.
    """
    found = await connection.fetchval(SQL["newest_run"], project_id, sha, branch)
    if found is None:
        raise NotFoundError(f"no run of {sha or branch or 'this project'} is known; was it uploaded?")
    return int(found)


def _explain(
    row: Any,
    runs: dict[int, Run],
    decoder: Decoder,
    run_id: int,
    default_branch: str,
    *,
    base_known: bool,
    config: AnalysisConfig,
) -> FailureExplained:
    attempts = tuple(Outcome(number) for number in row["outcomes"])
    everywhere, default = known(row["window_all"], runs), row["window_default"]
    size = 2 * config.window_size
    window = (
        everywhere if default is None else join(everywhere, known(default, runs), lambda run: runs[run].order, size)
    )
    explanation = explain(
        Observation(runs[run_id], attempts),
        decoder.history(window),
        group=row["test_group"],
        default_branch=default_branch,
        base_known=base_known,
        config=config,
    )
    names: Sequence[str] = ("test_case_id", "suite", "file", "class_name", "name", "variant", "verdict")
    texts: Sequence[str] = ("failure_type", "message", "details")
    return FailureExplained(
        **{name: row[name] for name in (*names, *texts)}, attempts=attempts, explanation=explanation
    )

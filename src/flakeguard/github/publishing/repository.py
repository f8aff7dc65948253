"""Everything that is known of a commit, read and gathered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.explanation import FailureExplained, explain_run
from flakeguard.analysis.model import Answer
from flakeguard.analysis.repository import load_runs
from flakeguard.analysis.window import Decoder, known, run_ids
from flakeguard.github.publishing.gathering import Sighting, newest, one_for_each_test, past_of
from flakeguard.github.publishing.locating import locate
from flakeguard.github.publishing.model import Commit, CommitFailure, End, JobRun, Past
from flakeguard.quarantine.repository import open_of_tests
from flakeguard.reports.model import Outcome
from fluxbase.db import Connection, load

SQL = load(__package__)

_RUNS = 200
_MESSAGE_CHARACTERS = 2_000
_DETAILS_CHARACTERS = 4_000
_MOST_ATTEMPTS = 4
"""The first and three reruns: what still fails then is not helped by another."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where something is said: a commit of a repository of a bound installation."""

    repository_id: int
    full_name: str
    installation_id: int
    organization_id: int
    sha: str

    @property
    def owner_and_name(self) -> tuple[str, str]:
        """As addresses have them."""
        owner, _, name = self.full_name.partition("/")
        return owner, name


@dataclass(frozen=True, slots=True)
class Gathered:
    """The commit, and the pull requests that its runs name."""

    commit: Commit
    pr_numbers: frozenset[int]


async def find_target(connection: Connection, repository_id: int, sha: str) -> Target | None:
    """None when nothing may be said there: not bound (any more), suspended, removed."""
    row = await connection.fetchrow(SQL["repository"], repository_id)
    if row is None:
        return None
    return Target(row["id"], row["full_name"], row["installation_id"], row["organization_id"], sha)


async def gather(
    connection: Connection, target: Target, *, public_url: str | None, config: AnalysisConfig, now: datetime
) -> Gathered:
    """The commit's runs, what their pages say of every test that failed there, and its open decisions at `now`."""
    rows = await connection.fetch(
        SQL["runs_of_commit"], target.organization_id, target.repository_id, target.full_name, target.sha, _RUNS
    )
    runs = [_job_run(row) for row in rows]
    sightings: list[Sighting] = []
    unseen = 0
    for run in runs:
        if run.failed or run.flaked:
            explained = await explain_run(connection, run.project_id, run.id, config=config)
            sightings += [sighting(run, failure, target.full_name) for failure in explained.failures]
            unseen += explained.failures_total - len(explained.failures)
    tests = list({seen.failure.test_case_id for seen in sightings})
    failures = one_for_each_test(
        sightings, runs, await _last_outcomes(connection, runs, tests), await _pasts(connection, tests, target.sha),
        await open_of_tests(connection, tests, now),
    )  # fmt: skip
    commit = Commit(
        repository=target.full_name,
        sha=target.sha,
        public_url=public_url,
        runs=newest(runs),
        failures=failures,
        unseen=unseen,
        may_rerun=_may_rerun(rows),
    )
    return Gathered(commit, frozenset(row["pr_number"] for row in rows if row["pr_number"]))


def _may_rerun(rows: Sequence[Any]) -> bool:
    of_actions = [
        row for row in rows if row["provider"] in (None, "github") and (row["external_run_id"] or "").isdigit()
    ]
    return bool(of_actions) and max(row["run_attempt"] or 1 for row in of_actions) < _MOST_ATTEMPTS


def _job_run(row: Any) -> JobRun:
    attempt = row["run_attempt"] or 1
    return JobRun(
        id=row["id"],
        project_id=row["project_id"],
        place=(row["workflow"] or "", row["job"], row["variant"]),
        order=(row["executed_at"], attempt, row["id"]),
        external_run_id=row["external_run_id"],
        attempt=attempt,
        **{name: row[name] for name in ("tests", "failed", "skipped", "flaked", "outage")},
    )


async def _last_outcomes(
    connection: Connection, runs: Sequence[JobRun], tests: Sequence[int]
) -> dict[tuple[int, int], Outcome]:
    rows = await connection.fetch(SQL["last_outcomes"], [run.id for run in runs], tests)
    return {(test, run): Outcome(outcome) for test, run, outcome in rows}


async def _pasts(connection: Connection, tests: Sequence[int], sha: str) -> Mapping[int, Past]:
    rows = await connection.fetch(SQL["windows"], tests)
    runs = await load_runs(connection, run_ids(row["window_all"] for row in rows))
    decoder = Decoder(runs)
    return {row["test_case_id"]: past_of(decoder.history(known(row["window_all"], runs)), sha) for row in rows}


def sighting(run: JobRun, failure: FailureExplained, repository: str) -> Sighting:
    """A failure of the run with no more of its texts than is shown."""
    explanation = failure.explanation
    odds, answer = explanation.odds, explanation.answer
    chances = (odds.yours, odds.known_flake, odds.main_broken, odds.outage)
    found = CommitFailure(
        test_case_id=failure.test_case_id,
        project_id=run.project_id,
        run_id=run.id,
        name=failure.name,
        where=_where(failure),
        verdict=failure.verdict,
        answer=answer,
        likely=max(chances) if answer is Answer.CANNOT_TELL else float(getattr(odds, answer)),
        flake=odds.known_flake,
        reason=explanation.reason,
        jobs=(),
        end=End.RETRY if failure.passed_in_the_end else End.FAILED,
        message=failure.message and failure.message[:_MESSAGE_CHARACTERS],
        details=failure.details and failure.details[:_DETAILS_CHARACTERS],
        location=locate(
            repository=repository, file=failure.file, class_name=failure.class_name, message=failure.message,
            details=failure.details,
        ),
    )  # fmt: skip
    return Sighting(run, found)


def _where(failure: FailureExplained) -> str:
    """File, or else suite, and the class where it says more."""
    place = failure.file or failure.suite
    owner = failure.class_name
    if owner and owner.replace(".", "/") not in place and owner != failure.suite:
        return f"{place} › {owner}" if place else owner
    return place

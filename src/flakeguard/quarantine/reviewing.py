"""Review the decisions of tests: propose, expire and resolve, in the caller's transaction."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.model import Verdict
from flakeguard.analysis.repository import SQL as ANALYSIS_SQL
from flakeguard.analysis.repository import load_runs
from flakeguard.analysis.window import Decoder, join, known, run_ids
from flakeguard.projects import audit
from flakeguard.quarantine.decisions import Latest, Ruling, State, Step, decide
from flakeguard.quarantine.policy import QuarantinePolicy
from flakeguard.quarantine.repository import SQL, Candidate, Decider, Draft, Ending, activate, close, propose
from flakeguard.quarantine.standing import standing_of
from fluxbase.db import Connection

POLICY = Decider("the policy")


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How many decisions a review made and ended."""

    proposed: int = 0
    activated: int = 0
    expired: int = 0
    resolved: int = 0

    @property
    def changed(self) -> bool:
        """Whether anything did."""
        return bool(self.proposed or self.activated or self.expired or self.resolved)

    def __add__(self, other: "Reviewed") -> "Reviewed":
        """Both together."""
        return Reviewed(
            self.proposed + other.proposed,
            self.activated + other.activated,
            self.expired + other.expired,
            self.resolved + other.resolved,
        )


async def review(
    connection: Connection,
    project_id: int,
    tests: Collection[int],
    *,
    policy: QuarantinePolicy,
    config: AnalysisConfig,
    now: datetime,
) -> Reviewed:
    """Take the next step of every one of these tests of a project. Safe to repeat: then there is none."""
    candidates = await candidates_of(
        connection, project_id, tests, (Verdict.FLAKY,), policy=policy, config=config, now=now
    )
    ruled = [(one, ruling) for one in candidates if (ruling := decide(one.standing, one.latest, policy, now))]
    until = now + policy.duration
    ended = await close(connection, project_id, _endings(ruled), now=now)
    proposed = await propose(connection, project_id, _drafts(ruled, Step.PROPOSE), until=until, now=now)
    activated = await activate(
        connection, project_id, _drafts(ruled, Step.ACTIVATE), until=until, now=now, decider=POLICY
    )
    reviewed = Reviewed(len(proposed), len(activated), ended.count(State.EXPIRED), ended.count(State.RESOLVED))
    if reviewed.changed:
        await _tell(connection, project_id, reviewed)
    return reviewed


async def _tell(connection: Connection, project_id: int, reviewed: Reviewed) -> None:
    organization_id = await connection.fetchval(SQL["organization_of_project"], project_id)
    await audit.record(
        connection, organization_id=organization_id, project_id=project_id, action="quarantine.reviewed",
        **asdict(reviewed),
    )  # fmt: skip
    await connection.execute(ANALYSIS_SQL["notify"], f"{project_id}:")  # open pages look again


async def candidates_of(
    connection: Connection,
    project_id: int,
    tests: Collection[int],
    verdicts: Sequence[Verdict],
    *,
    policy: QuarantinePolicy,
    config: AnalysisConfig,
    now: datetime,
) -> list[Candidate]:
    """Those of these tests that have one of the verdicts or an open decision, with what is known of them."""
    rows = await connection.fetch(SQL["to_review"], project_id, list(tests), [str(one) for one in verdicts])
    windows = {window for row in rows for window in (row["window_all"], row["window_default"]) if window}
    runs = await load_runs(connection, run_ids(windows))
    decoder = Decoder(runs)
    return [_candidate(row, decoder, runs, policy=policy, config=config, now=now) for row in rows]


def _candidate(
    row: Any, decoder: Decoder, runs: Any, *, policy: QuarantinePolicy, config: AnalysisConfig, now: datetime
) -> Candidate:
    window, default = known(row["window_all"], runs), known(row["window_default"] or b"", runs)
    if default:
        window = join(window, default, lambda run: runs[run].order, 2 * config.window_size)
    standing = standing_of(
        decoder.history(window), verdict=Verdict(row["verdict"]), score=row["score"], group=row["test_group"],
        default_branch=row["default_branch"], policy=policy, config=config, now=now,
    )  # fmt: skip
    latest = Latest(State(row["state"]), row["until"]) if row["id"] is not None else None
    return Candidate(row["test_case_id"], standing, row["id"], latest)


def _drafts(ruled: Sequence[tuple[Candidate, Ruling]], step: Step) -> list[Draft]:
    return [
        Draft(one.test_case_id, one.standing.score, one.standing.confidence, ruling.reason)
        for one, ruling in ruled
        if ruling.step is step
    ]


_ENDS = {Step.EXPIRE: State.EXPIRED, Step.RESOLVE: State.RESOLVED}


def _endings(ruled: Sequence[tuple[Candidate, Ruling]]) -> list[Ending]:
    return [
        Ending(one.decision_id, one.latest.state, _ENDS[ruling.step], ruling.reason)
        for one, ruling in ruled
        if ruling.step in _ENDS and one.decision_id is not None and one.latest is not None
    ]

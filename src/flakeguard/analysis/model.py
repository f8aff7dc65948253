"""The values that the analysis takes and gives: runs and observations in, verdicts with evidence out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from flakeguard.reports.model import Outcome

GREEN = 1
RED = 2
MIXED = GREEN | RED


class Verdict(StrEnum):
    """What a test's history proves (docs/verdicts.md holds every step from one to another)."""

    FLAKY = "flaky"
    SUSPECTED = "suspected"
    BROKEN = "broken"
    RECOVERING = "recovering"
    STABLE = "stable"
    UNPROVEN = "unproven"


class Severity(StrEnum):
    """How much a score hurts."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class EvidenceKind(StrEnum):
    """Why a piece of evidence is one.

    `retry`: passed and failed in one run. `rerun`: passed and failed in two runs of one commit and job.
    `isolated`: failed between passes of the same branch and job. `failing`: failed on the last commits of a
    branch. `passing`: passes (since the last failure, or on the base). `difference`: two jobs disagree on a
    commit.
    `outage`: the run's failure belongs to an outage.
    """

    RETRY = "retry"
    RERUN = "rerun"
    ISOLATED = "isolated"
    FAILING = "failing"
    PASSING = "passing"
    DIFFERENCE = "difference"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True)
class Run:
    """One CI job's results for a commit.

    Attributes:
        id: the run's number in the database; says nothing about order.
        executed_at: the run's own time, UTC.
        key: breaks ties between runs of one time; does not depend on arrival.
        commit: what was tested.
        branch: where it was tested.
        job: job name and run variant, joined by U+001F.
        outage: most of the whole run failed; it counts against no test.
        mass_failures: groups of tests (usually classes) that failed together in this run.
        place: commit and job: within one place the same test must give the same outcome.
        stream: branch and job: the series in which a failure can begin and end.
        order: place of the run in a history.
    """

    id: int
    executed_at: datetime
    key: bytes
    commit: str
    branch: str
    job: str
    outage: bool = False
    mass_failures: frozenset[str] = frozenset()
    place: tuple[str, str] = field(init=False, compare=False, repr=False)
    stream: tuple[str, str] = field(init=False, compare=False, repr=False)
    order: tuple[datetime, bytes] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", (self.commit, self.job))
        object.__setattr__(self, "stream", (self.branch, self.job))
        object.__setattr__(self, "order", (self.executed_at, self.key))


@dataclass(frozen=True, slots=True)
class Observation:
    """The attempts of one test in one run, in order of execution.

    Attributes:
        run: where.
        attempts: outcomes in order; at least one.
        passed: attempts that passed.
        failed: attempts that failed or ended in an error.
        skipped: attempts that were skipped.
        marks: one byte per attempt that was not skipped: 0 passed, 1 failed.
        colour: GREEN, RED, both bits when attempts of the run contradict each other, 0 when all were skipped.
        counts: whether the observation says anything: not only skipped, and no outage.
    """

    run: Run
    attempts: tuple[Outcome, ...]
    passed: int = field(init=False, compare=False, repr=False)
    failed: int = field(init=False, compare=False, repr=False)
    skipped: int = field(init=False, compare=False, repr=False)
    marks: bytes = field(init=False, compare=False, repr=False)
    colour: int = field(init=False, compare=False, repr=False)
    counts: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        marks = bytes(outcome.is_bad for outcome in self.attempts if outcome is not Outcome.SKIPPED)
        object.__setattr__(self, "failed", sum(marks))
        object.__setattr__(self, "passed", len(marks) - sum(marks))
        object.__setattr__(self, "skipped", len(self.attempts) - len(marks))
        object.__setattr__(self, "marks", marks)
        object.__setattr__(self, "colour", (GREEN if 0 in marks else 0) | (RED if 1 in marks else 0))
        object.__setattr__(self, "counts", bool(marks) and not self.run.outage)


type History = Sequence[Observation]
"""A test's observations, oldest first by the order of their runs."""


@dataclass(frozen=True, slots=True)
class Score:
    """The 40/30/20/10 score and its four parts, unweighted, each between 0 and 1."""

    total: float
    failure_rate: float
    inconsistency: float
    recency: float
    branch_diversity: float


@dataclass(frozen=True, slots=True)
class Interval:
    """Posterior of a flaky test's failure rate (chance per run that it fails though the code is good)."""

    low: float
    mean: float
    high: float


class AttemptRef(NamedTuple):
    """Names one attempt: the run, the attempt's place in it (from 1) and what came out."""

    run_id: int
    attempt: int
    outcome: Outcome


class Evidence(NamedTuple):
    """One reason for a verdict or an answer, with the attempts that say so.

    Attributes:
        kind: why it is a reason.
        commit: the commit it happened on (of a stretch of commits, the first).
        branch: the branch of the (first) failing attempt.
        job: the job; "" where they are of several.
        failed: failing attempts, oldest first.
        passed: passing attempts, oldest first.
        at: time of the newest run among them.
        attempts: how many say so in all; `failed` and `passed` name a few of them.
        shared: the failure came with a mass failure of the test's group, so it may not be the test's own.
    """

    kind: EvidenceKind
    commit: str
    branch: str
    job: str
    failed: tuple[AttemptRef, ...]
    passed: tuple[AttemptRef, ...]
    at: datetime
    attempts: int
    shared: bool = False


@dataclass(frozen=True, slots=True)
class BrokenStreak:
    """Failures at the end of one branch without a pass.

    Attributes:
        branch: the branch.
        job: the job that fails while others pass; None when no job passes.
        since_commit: the first failing commit.
        since: time of the first failing run.
        commits: failing commits.
        failures: failing executions.
        runs: the runs, oldest first.
        broken: long enough to say `broken` of this branch (or of this job on it).
    """

    branch: str
    job: str | None
    since_commit: str
    since: datetime
    commits: int
    failures: int
    runs: tuple[int, ...]
    broken: bool


@dataclass(frozen=True, slots=True)
class JobDifference:
    """Two jobs that disagree about the same commits, each agreeing with itself.

    Attributes:
        failing_job: the job in which the test fails.
        passing_job: the job in which it passes.
        commits: commits on which they disagreed, in the window.
        last_commit: the newest of them.
        lasting: they disagreed on their last `broken_commits` shared commits: a property, not an incident.
    """

    failing_job: str
    passing_job: str
    commits: int
    last_commit: str
    lasting: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """What the window held, after lookback.

    Attributes:
        runs: runs that count: neither outages nor only skipped.
        executions: attempts of those, without skips.
        passed: passing ones.
        failed: failing and erroneous ones.
        skipped: skipped attempts.
        outages: runs left out as outages.
        flaky_runs: runs with a failure that is put down to flakiness.
        contradictions: (commit, job) pairs with both outcomes, the shared ones included.
        commits: distinct commits.
        branches: distinct branches.
        recent_failures: failures among the last ten executions.
    """

    runs: int = 0
    executions: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    outages: int = 0
    flaky_runs: int = 0
    contradictions: int = 0
    commits: int = 0
    branches: int = 0
    recent_failures: int = 0


@dataclass(frozen=True, slots=True)
class Analysis:
    """Verdict, score and what they rest on.

    Attributes:
        verdict: the judgement.
        was: of a recovering test, what it was: flaky or broken.
        reason: one sentence.
        score: the ranking number and its parts.
        severity: from score and recent failures.
        above_threshold: enough runs and a score of at least the flaky threshold (ranking, no verdict).
        posterior: flake rate per run; None where no flake is proven or suspected.
        suspicion: probability of flaky by the pattern model; 1 when proven, 0 where nothing failed.
        counts: what the window held.
        evidence: newest first, at most the configured number.
        streaks: failing ends of branches and jobs, default branch first, then newest first.
        differences: jobs that disagree.
        passes_since: passing runs since the last flaky or broken failure (0 when neither).
        passes_needed: passing runs after which it is called stable; None when it never was flaky or broken, or when
            a window cannot hold as many: it is stable when its flakes have left the window.
        first_contradiction: time of the oldest contradiction in the window.
        last_contradiction: time of the newest one.
    """

    verdict: Verdict
    was: Verdict | None
    reason: str
    score: Score
    severity: Severity
    above_threshold: bool
    posterior: Interval | None
    suspicion: float
    counts: Counts
    evidence: tuple[Evidence, ...] = ()
    streaks: tuple[BrokenStreak, ...] = ()
    differences: tuple[JobDifference, ...] = ()
    passes_since: int = 0
    passes_needed: int | None = None
    first_contradiction: datetime | None = None
    last_contradiction: datetime | None = None

    @property
    def broken_branches(self) -> tuple[str, ...]:
        """Branches on which the test is broken in every job, in order."""
        return tuple(streak.branch for streak in self.streaks if streak.broken and streak.job is None)


class Answer(StrEnum):
    """The run page's answer to "is it my change?"."""

    YOURS = "yours"
    KNOWN_FLAKE = "known_flake"
    MAIN_BROKEN = "main_broken"
    OUTAGE = "outage"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True, slots=True)
class Odds:
    """Probability of each cause of one failure; they sum to 1."""

    yours: float
    known_flake: float
    main_broken: float
    outage: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Answer for one failing test of one run.

    Attributes:
        answer: the cause, or `cannot_tell` when none is probable enough.
        odds: probability of each cause.
        reason: one sentence.
        evidence: the attempts that say so.
    """

    answer: Answer
    odds: Odds
    reason: str
    evidence: tuple[Evidence, ...]

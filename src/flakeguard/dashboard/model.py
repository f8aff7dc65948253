"""What pages show, as the repository returns it. Names and units are the database's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from flakeguard.analysis.standing import standing_reason
from flakeguard.projects.model import Role
from flakeguard.reports.model import Outcome


@dataclass(frozen=True, slots=True)
class ProjectPlace:
    """A project in the switcher."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class OrganizationPlace:
    """An organization in the switcher, with its projects."""

    id: int
    name: str
    slug: str
    role: str
    projects: tuple[ProjectPlace, ...]

    @property
    def may_manage(self) -> bool:
        """Whether the user may change it."""
        return self.role in {Role.OWNER, Role.ADMIN}


@dataclass(frozen=True, slots=True)
class TestName:
    """What a test is called."""

    suite: str
    file: str | None
    class_name: str
    name: str
    variant: str

    @property
    def where(self) -> str:
        """File, or else suite, and the class where it says more: the line under a test's name."""
        place = self.file or self.suite
        owner = self.class_name.replace(".", "/")
        if self.class_name and owner not in place and self.class_name != self.suite:
            return f"{place} › {self.class_name}" if place else self.class_name
        return place

    @property
    def full(self) -> str:
        """One line that names the test, for titles and copying."""
        return " › ".join(part for part in (self.file or self.suite, self.class_name, self.name) if part)


@dataclass(frozen=True, slots=True)
class ListedTest:
    """A row of the project's table. `recent` holds the last runs as (run id, attempts), newest first."""

    id: int
    name: TestName
    verdict: str
    severity: str
    score: float
    flake_rate_low: float | None
    flake_rate: float | None
    flake_rate_high: float | None
    runs: int
    failures: int
    broken_branches: tuple[str, ...]
    duration_ms: float | None
    last_failed_at: datetime | None
    last_seen_at: datetime
    recent: tuple[tuple[int, tuple[Outcome, ...]], ...]


@dataclass(frozen=True, slots=True)
class TestDetail:
    """All that is stored of one test."""

    id: int
    name: TestName
    verdict: str
    severity: str
    score: float
    failure_rate: float
    inconsistency: float
    recency: float
    branch_diversity: float
    flake_rate_low: float | None
    flake_rate: float | None
    flake_rate_high: float | None
    runs: int
    failures: int
    broken_branches: tuple[str, ...]
    lifetime_runs: int
    lifetime_failures: int
    lifetime_flakes: int
    duration_ms: float | None
    first_seen_at: datetime
    last_seen_at: datetime
    last_failed_at: datetime | None
    analyzed_at: datetime | None
    findings: Mapping[str, Any]

    @property
    def reason(self) -> str:
        """Why the verdict is what it is, in one sentence; "" while nothing was found."""
        found: str = self.findings.get("reason") or ""
        return standing_reason(
            found, verdict=self.verdict, runs=self.runs, failures=self.failures, analyzed_at=self.analyzed_at
        )

    @property
    def differences(self) -> Sequence[Mapping[str, Any]]:
        """Jobs that disagree about the same commits (`JobDifference` as JSON)."""
        return self.findings.get("differences") or ()

    @property
    def healing(self) -> tuple[int, int] | None:
        """Of a recovering test: passes since the last failure, and passes after which it is called stable."""
        needed = self.findings.get("passes_needed")
        if self.verdict != "recovering" or not needed:
            return None
        return min(self.findings.get("passes_since", 0), needed), needed


@dataclass(frozen=True, slots=True)
class TrendDay:
    """One day: runs, how many were hit by a flake, how many failed."""

    day: date
    runs: int
    flaked: int
    failed: int


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A row of the runs' list, and the head of the run page."""

    id: int
    sha: str
    branch: str
    job: str
    variant: str
    pr_number: int | None
    event: str | None
    run_url: str | None
    executed_at: datetime
    completed_at: datetime | None
    tests: int
    failed: int
    skipped: int
    flaked: int
    outage: bool
    run_number: int | None
    provider: str | None = None
    repository: str | None = None
    workflow: str | None = None
    run_attempt: int | None = None
    created_at: datetime | None = None

    @property
    def status(self) -> str:
        """outage, failed, flaky or passed."""
        if self.outage:
            return "outage"
        if self.failed:
            return "failed"
        return "flaky" if self.flaked else "passed"

    @property
    def passed(self) -> int:
        """Tests whose last attempt passed."""
        return max(self.tests - self.failed, 0)


@dataclass(frozen=True, slots=True)
class SiblingRun:
    """Another run of the same commit."""

    id: int
    job: str
    variant: str
    executed_at: datetime
    failed: int
    flaked: int
    outage: bool
    run_attempt: int | None


@dataclass(frozen=True, slots=True)
class FailureText:
    """What a failing attempt said, without ANSI escapes."""

    failure_type: str | None
    message: str | None
    details: str | None

    @property
    def first_line(self) -> str:
        """The line that says most."""
        text = (self.message or self.details or self.failure_type or "").strip()
        return text.splitlines()[0] if text else ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One execution of a test in a run."""

    outcome: Outcome
    duration_ms: float | None
    failure: FailureText | None


@dataclass(frozen=True, slots=True)
class SlowTest:
    """A test that took long in a run."""

    id: int
    name: TestName
    duration_ms: float


@dataclass(frozen=True, slots=True)
class TestRun:
    """One run of one test, with its attempts in order."""

    run_id: int
    sha: str
    branch: str
    job: str
    variant: str
    executed_at: datetime
    outage: bool
    attempts: tuple[Attempt, ...]

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What came out of each attempt, in order."""
        return tuple(attempt.outcome for attempt in self.attempts)


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures of a test that say the same but for numbers, ids, addresses and times."""

    times: int
    runs: int
    last_at: datetime
    last_run_id: int
    text: FailureText


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A step from verdict to verdict, and the run that made it."""

    from_verdict: str | None
    to_verdict: str
    score: float
    created_at: datetime
    run_id: int | None
    sha: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """One file of an upload, as it was understood."""

    filename: str
    size_bytes: int
    format: str | None
    test_count: int | None
    warnings: tuple[str, ...]
    error: str | None


@dataclass(frozen=True, slots=True)
class Upload:
    """What arrived in one request."""

    id: UUID
    state: str
    meta: Mapping[str, Any]
    run_id: int | None
    junit_files: int
    test_results: int | None
    flake_events_created: int | None
    error: str | None
    created_at: datetime
    stored_at: datetime | None
    analyzed_at: datetime | None
    files: tuple[UploadedFile, ...] = ()

    @property
    def sha(self) -> str:
        """The commit that the upload names."""
        return str(self.meta.get("sha") or "")

    @property
    def branch(self) -> str:
        """The branch that the upload names, "" for none."""
        return str(self.meta.get("branch") or "")

    @property
    def job(self) -> str:
        """Job and variant that the upload names, "" for none."""
        return " · ".join(str(self.meta[name]) for name in ("job_name", "job_variant") if self.meta.get(name))

    @property
    def pending(self) -> bool:
        """Whether more is to come."""
        return self.state in {"accepted", "stored"}

    @property
    def warnings(self) -> int:
        """How many warnings its files have."""
        return sum(len(file.warnings) for file in self.files)

    @property
    def errors(self) -> int:
        """How many of its files could not be read."""
        return sum(file.error is not None for file in self.files)

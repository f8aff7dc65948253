"""What is said of a commit, before and after it is put into words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from flakeguard.analysis.model import Answer
from flakeguard.github.publishing.locating import Location
from flakeguard.quarantine.decisions import Latest, quarantined_until


class Conclusion(StrEnum):
    """Of a check run; GitHub lets none but `action_required` stand in a merge's way."""

    ACTION_REQUIRED = "action_required"
    NEUTRAL = "neutral"
    SUCCESS = "success"


class End(StrEnum):
    """How a test that failed on the commit ended there."""

    FAILED = "failed"
    RETRY = "passed on a retry"
    RERUN = "passed on a rerun"


@dataclass(frozen=True, slots=True)
class JobRun:
    """One CI job's results for the commit.

    Attributes:
        id: our run.
        project_id: whose it is.
        place: workflow, job and variant: what runs again in a rerun.
        order: later is newer.
        external_run_id: the CI's run; None when it did not say.
        attempt: of the CI's run, from 1.
        tests: distinct tests that were not skipped.
        failed: of these, never passed.
        outage: most of the run failed.
    """

    id: int
    project_id: int
    place: tuple[str, str, str]
    order: tuple[datetime, int, int]
    external_run_id: str | None
    attempt: int
    tests: int
    failed: int
    skipped: int
    flaked: int
    outage: bool

    @property
    def name(self) -> str:
        """Workflow, job and variant for people."""
        return " · ".join(part for part in self.place if part)


@dataclass(frozen=True, slots=True)
class Past:
    """What a test did in its window.

    Attributes:
        runs: runs that count.
        failing_runs: of these, with a failing attempt.
        reruns: attempts after a failing one, on the same commit in the same job.
        reruns_passed: of these, passed.
        last_failed_at: the newest failing run on another commit; None when it failed nowhere else.
        last_failed_sha: its commit.
    """

    runs: int = 0
    failing_runs: int = 0
    reruns: int = 0
    reruns_passed: int = 0
    last_failed_at: datetime | None = None
    last_failed_sha: str | None = None


@dataclass(frozen=True, slots=True)
class CommitFailure:
    """A test that failed on the commit, and what the run page says of it.

    Attributes:
        run_id: our run whose page says it.
        likely: probability of the answer; of the likeliest cause when we cannot tell.
        flake: probability that this failure is a flake.
        jobs: the jobs in which it failed, by name.
        end: how it ended on the commit.
        past: what it did in its window.
        decision: the open decision about its quarantine; None when there is none.
    """

    test_case_id: int
    project_id: int
    run_id: int
    name: str
    where: str
    verdict: str
    answer: Answer
    likely: float
    flake: float
    reason: str
    jobs: tuple[str, ...]
    end: End
    message: str | None = None
    details: str | None = None
    location: Location | None = None
    past: Past = field(default_factory=Past)
    decision: Latest | None = None

    @property
    def is_candidate(self) -> bool:
        """Whether the failure, or the test, is a flake."""
        return self.answer is Answer.KNOWN_FLAKE or self.verdict in ("flaky", "suspected")

    @property
    def quarantined_until(self) -> datetime | None:
        """Its last day in quarantine; None outside, and where it is broken."""
        return quarantined_until(self.verdict, self.decision)


@dataclass(frozen=True, slots=True)
class Commit:
    """All that is known of a commit, gathered from its runs.

    Attributes:
        repository: `owner/name`.
        public_url: of our pages; None when it is not known.
        runs: the newest of each job.
        failures: what needs somebody first, then what passed in the end.
        unseen: failing tests beyond those that were explained.
        may_rerun: GitHub Actions ran it, and not too often yet.
    """

    repository: str
    sha: str
    public_url: str | None
    runs: tuple[JobRun, ...]
    failures: tuple[CommitFailure, ...]
    unseen: int = 0
    may_rerun: bool = False

    def page(self, project_id: int, path: str) -> str | None:
        """The address of a project's page."""
        return self.public_url and f"{self.public_url.rstrip('/')}/projects/{project_id}/{path}"

    @property
    def address(self) -> str | None:
        """The page of the only run, or those of the commit."""
        if not self.runs:
            return None
        first = self.runs[0]
        return self.page(first.project_id, f"runs/{first.id}" if len(self.runs) == 1 else f"runs?sha={self.sha}")

    @property
    def failing(self) -> tuple[CommitFailure, ...]:
        """The failures that no retry or rerun took back."""
        return tuple(failure for failure in self.failures if failure.end is End.FAILED)

    @property
    def outages(self) -> tuple[JobRun, ...]:
        """Jobs of which most failed."""
        return tuple(run for run in self.runs if run.outage)


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark on a line; at most 255 characters of title and 64 kB of message."""

    path: str
    line: int
    level: str
    title: str
    message: str

    def as_json(self) -> dict[str, object]:
        """As GitHub takes it."""
        return {
            "path": self.path,
            "start_line": self.line,
            "end_line": self.line,
            "annotation_level": self.level,
            "title": self.title,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Action:
    """A button: 20 characters of label and identifier, 40 of description."""

    label: str
    description: str
    identifier: str

    def as_json(self) -> Mapping[str, str]:
        """As GitHub takes it."""
        return {"label": self.label, "description": self.description, "identifier": self.identifier}


@dataclass(frozen=True, slots=True)
class CheckRun:
    """The check run in words."""

    title: str
    summary: str
    text: str
    conclusion: Conclusion
    annotations: tuple[Annotation, ...]
    actions: tuple[Action, ...]
    details_url: str | None

"""What the made-up history is made of: tests, pushes, places where tests run, attempts, and finished runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from random import Random
from typing import Any, NamedTuple

from flakeguard.analysis.model import Verdict
from flakeguard.reports.model import Outcome

MAIN = "main"


class Suite(StrEnum):
    """The shop's test suites; each is written in the dialect of its framework."""

    BACKEND = "backend"
    """pytest, with reruns of failing tests."""
    FRONTEND = "frontend"
    """Jest, without retries."""
    PAYMENTS = "payments"
    """Maven Surefire, with `rerunFailingTestsCount`."""
    E2E = "e2e"
    """Jest driving a browser, with retries."""


class Job(Enum):
    """A CI job: its name, its variant, and the suites it runs."""

    LINUX = ("test-linux", "", (Suite.BACKEND, Suite.FRONTEND, Suite.PAYMENTS))
    WINDOWS = ("test-windows", "", (Suite.BACKEND,))
    CHROMIUM = ("e2e", "chromium", (Suite.E2E,))
    FIREFOX = ("e2e", "firefox", (Suite.E2E,))

    def __init__(self, job_name: str, variant: str, suites: tuple[Suite, ...]) -> None:
        self.job_name = job_name
        self.variant = variant
        self.suites = suites


@dataclass(frozen=True, slots=True)
class Case:
    """A test case: `file` is None and `class_name` may be empty where the framework writes none."""

    suite: Suite
    file: str | None
    class_name: str
    name: str
    seconds: float


class Failure(NamedTuple):
    """How an attempt failed."""

    kind: str
    message: str
    details: str


class Attempt(NamedTuple):
    """One execution of a test."""

    outcome: Outcome = Outcome.PASSED
    failure: Failure | None = None


PASS = (Attempt(),)
"""What a test does when it has no story."""


@dataclass(frozen=True, slots=True)
class Push:
    """A commit that CI tested: `number` counts pushes (nightly runs among them) from 0, oldest first."""

    number: int
    at: datetime
    branch: str
    sha: str
    event: str
    pr_number: int | None = None

    @property
    def on_main(self) -> bool:
        """Whether it is on the default branch."""
        return self.branch == MAIN


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when tests run: one job of a push, and which attempt of that job it is (from 1)."""

    push: Push
    job: Job
    run_attempt: int
    started_at: datetime
    random: Random = field(compare=False)

    @property
    def key(self) -> tuple[int, Job]:
        """The push and the job."""
        return self.push.number, self.job


type Story = Callable[[Place], tuple[Attempt, ...] | None]
"""What a test does at a place; None where it does nothing but pass."""


class Plant(NamedTuple):
    """A test with a story, and what its history is to prove.

    Attributes:
        key: short name of what it shows.
        case: the test.
        story: what it does.
        verdict: the verdict it was planted for; of several variants, that of `variant`.
        shows: one line for people.
        variant: the variant of the test case that the verdict is about.
    """

    key: str
    case: Case
    story: Story
    verdict: Verdict
    shows: str
    variant: str = ""


class Report(NamedTuple):
    """One JUnit XML file."""

    filename: str
    content: bytes


@dataclass(frozen=True, slots=True)
class DemoRun:
    """One finished CI job: the `meta` document of its upload, and its reports."""

    meta: Mapping[str, Any]
    started_at: datetime
    duration: timedelta
    reports: tuple[Report, ...]

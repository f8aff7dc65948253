"""Decisions as pages show them. Pure."""

from dataclasses import dataclass
from datetime import datetime

from flakeguard.dashboard.model import TestName
from flakeguard.quarantine.decisions import FLAKES
from flakeguard.quarantine.repository import Decision, ListedDecision


@dataclass(frozen=True, slots=True)
class DecidedTest:
    """A test with a decision about it; `id` and `name` are what the components of a test's name take."""

    id: int
    name: TestName
    verdict: str
    last_failed_at: datetime | None
    decision: Decision

    @property
    def may_be_quarantined(self) -> bool:
        """Whether the button would do something: what broke meanwhile has to be repaired."""
        return self.verdict in FLAKES


def in_words(listed: ListedDecision) -> DecidedTest:
    """A decision of the project's list."""
    name = TestName(listed.suite, listed.file, listed.class_name, listed.name, listed.variant)
    return DecidedTest(listed.decision.test_case_id, name, listed.verdict, listed.last_failed_at, listed.decision)

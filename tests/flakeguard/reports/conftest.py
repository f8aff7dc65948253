"""Reading a report in one line."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from flakeguard.reports.junit import parse_junit
from flakeguard.reports.model import DEFAULT_LIMITS, Limits, Outcome, ParsedAttempt, ReportInfo


@dataclass(frozen=True)
class Read:
    """A report that was read to its end."""

    attempts: list[ParsedAttempt]
    info: ReportInfo

    @property
    def outcomes(self) -> str:
        """One letter per attempt: p, f, e, s."""
        return "".join(attempt.outcome.name[0].lower() for attempt in self.attempts)

    def of(self, name: str) -> list[Outcome]:
        """The outcomes of one test, by its name."""
        return [attempt.outcome for attempt in self.attempts if attempt.name == name]


def read_report(content: str | bytes, limits: Limits = DEFAULT_LIMITS) -> Read:
    data = content.encode() if isinstance(content, str) else content
    report = parse_junit(io.BytesIO(data), limits)
    return Read(list(report), report.info)


@pytest.fixture
def read() -> Callable[..., Read]:
    return read_report

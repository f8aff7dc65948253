"""What was understood of a report, in numbers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from flakeguard.reports.archives import expand
from flakeguard.reports.frameworks import DEFAULT_FORMAT
from flakeguard.reports.junit import parse_junit
from flakeguard.reports.model import DEFAULT_LIMITS, Limits, Outcome, ReportError


@dataclass(frozen=True, slots=True)
class FileSummary:
    """One report in numbers.

    `cases` are distinct test cases, each counted by its last attempt: passed + failed + errors + skipped = cases.
    `attempts` are executions, `seconds` the sum of their durations, `suites` the `<testsuite>` elements.
    """

    path: str
    format: str | None = None
    suites: int = 0
    cases: int = 0
    attempts: int = 0
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list[str])
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The shape that `flakeguard parse --json` prints."""
        return {name: getattr(self, name) for name in self.__slots__}


def summarise(path: str, stream: BinaryIO, limits: Limits = DEFAULT_LIMITS) -> FileSummary:
    """Read a report and count; a file that is none gives a summary with `error`.

    Args:
        path: what to call it.
        stream: its bytes, unpacked.
        limits: for the reader.
    """
    report = parse_junit(stream, limits)
    last: dict[int, Outcome] = {}
    seconds = 0.0
    try:
        for batch in report.batches():
            for attempt in batch:
                # The hash stands for the case: 205,000 cases as tuples of strings would cost 60 MB.
                last[hash(attempt[:4])] = attempt.outcome
                seconds += attempt.duration_seconds or 0.0
    except ReportError as error:
        return FileSummary(path, error=f"{error.code}: {error.message}")
    info, outcomes = report.info, Counter(last.values())
    return FileSummary(
        path=path,
        format=info.format or DEFAULT_FORMAT,
        suites=info.suites,
        cases=len(last),
        attempts=info.attempts,
        passed=outcomes[Outcome.PASSED],
        failed=outcomes[Outcome.FAILED],
        errors=outcomes[Outcome.ERROR],
        skipped=outcomes[Outcome.SKIPPED],
        seconds=round(seconds, 6),
        warnings=list(info.warnings),
    )


def summarise_upload(path: str, stream: BinaryIO, limits: Limits = DEFAULT_LIMITS) -> Iterator[FileSummary]:
    """Summaries of a report, of a gzip of one, or of every report in a zip (`archive.zip!member.xml`)."""
    found = False
    for piece in expand(stream, path):
        found = True
        name = path if piece.name in {path, path.removesuffix(".gz")} else f"{path}!{piece.name}"
        if piece.stream is None:
            message = f"{piece.error.code}: {piece.error.message}" if piece.error else "unreadable"
            yield FileSummary(name, error=message)
        else:
            yield summarise(name, piece.stream, limits)
    if not found:
        yield FileSummary(path, error="not_a_report: the archive holds no report")

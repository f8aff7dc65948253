"""Read the reports of all runs into one history for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO, NamedTuple

from flakeguard.reports.archives import expand
from flakeguard.reports.junit import parse_junit
from flakeguard.reports.model import Outcome, ParsedAttempt, ReportError
from flakeguard.scan.folders import RunFolder
from flakeguard.uploading.files import ReportFile

_MESSAGE_CHARACTERS = 300


class CaseKey(NamedTuple):
    """The identity of a test; variants are told by the job of a run."""

    suite: str
    file: str | None
    class_name: str
    name: str

    @property
    def group(self) -> str:
        """The tests it may fail together with."""
        return self.class_name or self.file or self.suite


@dataclass(slots=True)
class CaseRecord:
    """What the reports hold of one test.

    Attributes:
        outcomes: attempts in order of execution, by number of the run.
        messages: first line of what a failing attempt said, by (run, attempt from 1).
        seconds: durations of executions that were not skipped.
    """

    outcomes: dict[int, list[Outcome]] = field(default_factory=dict[int, list[Outcome]])
    messages: dict[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])
    seconds: list[float] = field(default_factory=list[float])


@dataclass(slots=True)
class RunRecord:
    """What the reports of one folder hold beside their attempts."""

    folder: RunFolder
    timestamp: datetime | None = None
    properties: dict[str, str] = field(default_factory=dict[str, str])
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that could not be read as a report, or a warning about one that could.

    Attributes:
        path: the file; of an archive, with the member's name behind it.
        code: the reader's stable error code; None for a warning.
        message: one sentence.
    """

    path: str
    code: str | None
    message: str


@dataclass(slots=True)
class Collection:
    """Everything that was read."""

    runs: list[RunRecord] = field(default_factory=list[RunRecord])
    tests: dict[CaseKey, CaseRecord] = field(default_factory=dict[CaseKey, CaseRecord])
    unreadable: list[Problem] = field(default_factory=list[Problem])
    warnings: list[Problem] = field(default_factory=list[Problem])
    files: int = 0


def collect(folders: Sequence[RunFolder], on_file: Callable[[ReportFile], None]) -> Collection:
    """Read all reports; a file that cannot be read is noted, and the others are read.

    A run is kept only when at least one of its files could be read. The same test seen again in another file of its
    folder is a further attempt.

    Args:
        folders: the runs; their order gives the runs their numbers.
        on_file: called after each file.
    """
    collection = Collection()
    for folder in folders:
        run = RunRecord(folder)
        number = len(collection.runs)
        for file in folder.files:
            _read_file(collection, run, number, file)
            on_file(file)
        if run.attempts:
            collection.runs.append(run)
    return collection


def _read_file(collection: Collection, run: RunRecord, number: int, file: ReportFile) -> None:
    try:
        with file.path.open("rb") as stream:
            for piece in expand(stream, file.path.name):
                is_file_itself = piece.name in {file.path.name, file.path.name.removesuffix(".gz")}
                path = file.shown if is_file_itself else f"{file.shown}:{piece.name}"
                if piece.stream is None:
                    error = piece.error or ReportError("unreadable", "cannot be read")
                    collection.unreadable.append(Problem(path, error.code, error.message))
                else:
                    _read_report(collection, run, number, path, piece.stream)
    except ReportError as error:
        collection.unreadable.append(Problem(file.shown, error.code, error.message))
    except OSError as error:
        collection.unreadable.append(Problem(file.shown, "unreadable", error.strerror or str(error)))


def _read_report(collection: Collection, run: RunRecord, number: int, path: str, stream: BinaryIO) -> None:
    report = parse_junit(stream)
    try:
        for attempt in report:
            _note(collection, number, attempt)
            run.attempts += 1
    except ReportError as error:
        collection.unreadable.append(Problem(path, error.code, error.message))
        return
    collection.files += 1
    info = report.info
    collection.warnings.extend(Problem(path, None, warning) for warning in info.warnings)
    run.properties |= {key: value for key, value in info.properties.items() if key not in run.properties}
    if info.timestamp is not None:
        moment = _aware(info.timestamp)
        run.timestamp = min(run.timestamp or moment, moment)


def _note(collection: Collection, number: int, attempt: ParsedAttempt) -> None:
    key = CaseKey(attempt.suite, attempt.file, attempt.class_name, attempt.name)
    record = collection.tests.setdefault(key, CaseRecord())
    attempts = record.outcomes.setdefault(number, [])
    attempts.append(attempt.outcome)
    if attempt.outcome is not Outcome.SKIPPED and attempt.duration_seconds is not None:
        record.seconds.append(attempt.duration_seconds)
    if attempt.outcome.is_bad:
        record.messages[number, len(attempts)] = first_line(attempt)


def first_line(attempt: ParsedAttempt) -> str:
    """Return the first line that says what went wrong, cut for a screen."""
    for line in _lines(attempt):
        return line if len(line) <= _MESSAGE_CHARACTERS else f"{line[: _MESSAGE_CHARACTERS - 1]}…"
    return attempt.failure_type or ""


def _lines(attempt: ParsedAttempt) -> Iterator[str]:
    for text in (attempt.message, attempt.details):
        for line in (text or "").splitlines():
            if line.strip():
                yield line.strip()


def _aware(moment: datetime) -> datetime:
    """Take a time without a zone for UTC: in one collection, runs of one machine stay in order."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

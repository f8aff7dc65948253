"""The one model that every report format is read into.

An *attempt* is one execution of a test case; a retried test has several. Nothing is collapsed here: a
case that was run three times gives three attempts, earlier executions first.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Literal, NamedTuple

type ReportErrorCode = Literal[
    "empty_file",
    "not_a_report",
    "forbidden_entities",
    "unreadable",
    "too_large",
    "unsafe_name",
    "encrypted",
    "nested_archive",
    "too_many_files",
    "damaged_archive",
]
"""Why a file, or one file of an archive, is no report. Stable: the API and the CLI show them."""

SUITE_SEPARATOR = " > "
"""Joins the names of nested suites, outermost first, into `ParsedAttempt.suite`."""


class Outcome(IntEnum):
    """How one attempt ended. The numbers are stored (two bits each): they never change."""

    PASSED = 0
    FAILED = 1
    ERROR = 2
    SKIPPED = 3

    @property
    def is_bad(self) -> bool:
        """Whether the attempt speaks against the code: failed or errored."""
        return self is Outcome.FAILED or self is Outcome.ERROR


class ParsedAttempt(NamedTuple):
    """One execution of one test case, as a report tells it.

    `suite`, `file`, `class_name` and `name` identify the test case within a run; the same four seen again
    are a further attempt of it. Absent names are `""`, an absent file is `None`. Texts are at most as long as
    `Limits` allows and end in a visible mark where they were cut; outputs are kept for attempts that did not
    pass.
    """

    suite: str
    file: str | None
    class_name: str
    name: str
    line: int | None
    outcome: Outcome
    duration_seconds: float | None
    failure_type: str | None
    message: str | None
    details: str | None
    system_out: str | None
    system_err: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a report may cost. Texts in characters, the rest in bytes or counts."""

    name_characters: int = 2_000
    message_characters: int = 8_192
    details_characters: int = 65_536
    output_characters: int = 32_768
    properties: int = 256
    property_characters: int = 1_024
    warnings: int = 50
    depth: int = 128
    entity_characters: int = 100
    token_bytes: int = 8 * 1024 * 1024
    chunk_bytes: int = 131_072


DEFAULT_LIMITS = Limits()


@dataclass(slots=True)
class ReportInfo:
    """What a report says beside its attempts; complete once the attempts were iterated to the end.

    `timestamp` is the first one found and naive when the report states no zone. `recovered` says that the
    file was damaged and that what could be read was read (a warning says how).
    """

    format: str = "junit"
    suites: int = 0
    attempts: int = 0
    timestamp: datetime | None = None
    properties: dict[str, str] = field(default_factory=dict[str, str])
    warnings: list[str] = field(default_factory=list[str])
    recovered: bool = False

    def clear(self) -> None:
        """Back to the beginning, for another reading of the same file."""
        fresh = ReportInfo()
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))


class ReportError(Exception):
    """This file cannot be read as a report; other files of the same upload are not concerned."""

    def __init__(self, code: ReportErrorCode, message: str) -> None:
        """Keep the stable `code` beside the `message` for people."""
        super().__init__(message)
        self.code: ReportErrorCode = code
        self.message = message

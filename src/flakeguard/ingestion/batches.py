"""Attempts as rows: what a batch of them needs of the database, computed without it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import batched

from flakeguard.ingestion.fingerprint import digest, fingerprint
from flakeguard.reports.identity import identity_hash
from flakeguard.reports.model import ParsedAttempt

BATCH_ATTEMPTS = 5_000
_MILLISECONDS = 1000.0
_LONGEST_MS = 3.0e9  # about a month; whatever claims more is no duration

type CaseNames = tuple[str, str | None, str, str]
"""Suite, file, class and name of a test case."""

type FailureText = tuple[bytes, str | None, str | None, str | None]
"""Fingerprint, type, message and details."""


@dataclass(slots=True)
class Batch:
    """Columns of attempts, and what they refer to by hash: test cases and failure texts."""

    cases: dict[bytes, CaseNames] = field(default_factory=dict[bytes, CaseNames])
    failures: dict[bytes, FailureText] = field(default_factory=dict[bytes, FailureText])
    case_hashes: list[bytes] = field(default_factory=list[bytes])
    positions: list[int] = field(default_factory=list[int])
    outcomes: list[int] = field(default_factory=list[int])
    durations_ms: list[float | None] = field(default_factory=list[float | None])
    failure_digests: list[bytes | None] = field(default_factory=list[bytes | None])

    def add(self, position: int, attempt: ParsedAttempt, variant: str) -> None:
        """Append one attempt."""
        case, names = _identity(attempt.suite, attempt.file, attempt.class_name, attempt.name, variant)
        self.cases[case] = names
        self.case_hashes.append(case)
        self.positions.append(position)
        self.outcomes.append(int(attempt.outcome))
        self.durations_ms.append(_milliseconds(attempt.duration_seconds))
        self.failure_digests.append(self._failure(attempt))

    def _failure(self, attempt: ParsedAttempt) -> bytes | None:
        if not (attempt.failure_type or attempt.message or attempt.details):
            return None
        kind, message, details = storable(attempt.failure_type), storable(attempt.message), storable(attempt.details)
        key = digest(kind, message, details)
        if key not in self.failures:
            self.failures[key] = (_fingerprint(kind, message, (details or "")[:4000] or None), kind, message, details)
        return key


_fingerprint = lru_cache(maxsize=4096)(fingerprint)


@lru_cache(maxsize=50_000)
def _identity(suite: str, file: str | None, class_name: str, name: str, variant: str) -> tuple[bytes, CaseNames]:
    """The test case's hash and its names as they are stored; a project's tests come again with every upload."""
    names = (storable(suite), storable(file), storable(class_name), storable(name))
    return identity_hash(*names, variant), names


def in_batches(attempts: Iterable[ParsedAttempt], variant: str) -> Iterator[Batch]:
    """The attempts of one report in batches, numbered by their place in it."""
    for chunk in batched(enumerate(attempts), BATCH_ATTEMPTS):
        batch = Batch()
        for position, attempt in chunk:
            batch.add(position, attempt, variant)
        yield batch


def storable[Text: str | None](text: Text) -> Text:
    """The text without what PostgreSQL cannot hold (NUL, lone surrogates)."""
    if text is None or (text.isascii() and "\x00" not in text):
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")  # pyright: ignore[reportReturnType] -- str in, str out


def _milliseconds(seconds: float | None) -> float | None:
    if seconds is None or not 0 <= seconds * _MILLISECONDS <= _LONGEST_MS:
        return None
    return seconds * _MILLISECONDS

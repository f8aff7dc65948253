"""Which tests a recomputation is about, as PostgreSQL is asked for them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

MOST_PATTERNS = 1_000
LONGEST_PATTERN = 1_000
DEFAULT_BATCH_TESTS = 250
LARGEST_BATCH_TESTS = 5_000

type ScopeType = Literal["all", "test_pattern", "class_pattern", "specific_tests"]


class UnusableScopeError(ValueError):
    """The scope names no tests that could be looked for; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What the query asks: LIKE patterns of names and classes, exact names or ids, and when a test was seen last.

    None asks for nothing of the kind.
    """

    names_like: list[str] | None = None
    classes_like: list[str] | None = None
    tests: list[str] | None = None
    seen_since: datetime | None = None


def condition(kind: ScopeType, patterns: Sequence[str], lookback_days: int | None, now: datetime) -> Condition:
    """The condition of a scope.

    `test_pattern` and `class_pattern` are globs (`*`, `?`); `specific_tests` are ids, names, or `class.name`.
    `lookback_days` keeps to tests that ran that lately. It changes nothing of how they are judged: a recomputation
    says what the incremental way says.

    Raises:
        UnusableScopeError: Patterns are missing, superfluous, or too many.
    """
    _check(kind, patterns)
    try:
        seen_since = now - timedelta(days=lookback_days) if lookback_days else None
    except OverflowError:
        seen_since = None
    globs = [like(pattern) for pattern in patterns]
    return Condition(
        names_like=globs if kind == "test_pattern" else None,
        classes_like=globs if kind == "class_pattern" else None,
        tests=list(patterns) if kind == "specific_tests" else None,
        seen_since=seen_since,
    )


def like(glob: str) -> str:
    r"""The LIKE pattern of a glob: `*` is `%`, `?` is `_`, and what LIKE would read otherwise has a `\` before it."""
    special = {"*": "%", "?": "_", "%": r"\%", "_": r"\_", "\\": r"\\"}
    return "".join(special.get(character, character) for character in glob)


def batch_size(wanted: int | None) -> int:
    """Tests in a batch: as wanted, within what one transaction should hold."""
    return min(wanted or DEFAULT_BATCH_TESTS, LARGEST_BATCH_TESTS)


def _check(kind: ScopeType, patterns: Sequence[str]) -> None:
    if kind == "all":
        if patterns:
            raise UnusableScopeError("recomputeScope.type is all, but patterns are given: leave them out")
        return
    if not patterns:
        raise UnusableScopeError(f"recomputeScope.type {kind} needs patterns")
    if len(patterns) > MOST_PATTERNS:
        raise UnusableScopeError(f"{len(patterns)} patterns are more than {MOST_PATTERNS}: send several jobs, or globs")
    if any(not 0 < len(pattern) <= LONGEST_PATTERN or "\0" in pattern for pattern in patterns):
        raise UnusableScopeError(f"each pattern has 1 to {LONGEST_PATTERN} characters")

"""Failed attempts that pytest's report shows as if they had passed.

pytest-rerunfailures and flaky run a failed test again, and pytest's JUnit writer, which knows no such outcome,
writes an empty `<testcase/>` for each of these attempts: to any reader a pass. Two facts give them away. pytest
runs no test twice of its own, so an empty case that is followed by the same case again was run again because
it had failed. And the suite's `tests` attribute does not count them, so there are more cases than tests.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from flakeguard.reports.model import Outcome, ParsedAttempt
from flakeguard.reports.source import Source

HIDDEN_RERUN = "failed and was run again; pytest's report keeps no reason"
"""Message of an attempt that is known to have failed only because it was repeated."""
HIDDEN_RERUN_TYPE = "rerun"

_PYTEST_SUITE = re.compile(r'<testsuite\b[^>]*\bname="pytest[^"]*"[^>]*>')
_TESTS = re.compile(r'\btests="(\d+)"')


def hides_reruns(source: Source) -> bool:
    """Whether a report is pytest's and holds more cases than tests."""
    tests = cases = 0
    for number, piece in enumerate(source.pieces(errors="replace")):
        suites = _PYTEST_SUITE.findall(piece)
        if number == 0 and not suites:
            return False
        tests += sum(int(found.group(1)) for suite in suites if (found := _TESTS.search(suite)))
        cases += piece.count("<testcase ")
    return cases > tests


def count_repeats(batches: Iterable[list[ParsedAttempt]]) -> dict[int, int]:
    """How often each test case occurs that occurs more than once, by the hash of its identity."""
    counts = Counter(hash(attempt[:4]) for batch in batches for attempt in batch)
    return {case: count for case, count in counts.items() if count > 1}


def with_reruns_failed(
    batches: Iterator[list[ParsedAttempt]], repeats: dict[int, int]
) -> Iterator[list[ParsedAttempt]]:
    """The attempts, where a pass that is followed by the same case again became what it was: a failure."""
    left = dict(repeats)
    for batch in batches:
        yield [_seen(attempt, left) for attempt in batch]


def _seen(attempt: ParsedAttempt, left: dict[int, int]) -> ParsedAttempt:
    """One attempt, counted down."""
    case = hash(attempt[:4])
    if case not in left:
        return attempt
    left[case] -= 1
    if left[case] <= 0 or attempt.outcome is not Outcome.PASSED:
        return attempt
    return attempt._replace(outcome=Outcome.FAILED, failure_type=HIDDEN_RERUN_TYPE, message=HIDDEN_RERUN)

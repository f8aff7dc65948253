"""The issue about a commit's flaky tests, in words. Pure.

What an issue is about is told by a mark for each test, which nobody sees: so nobody opens a second one for a test while
the first is open.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from flakeguard.github.publishing.markdown import clip, text
from flakeguard.github.publishing.model import Commit, CommitFailure
from flakeguard.github.publishing.tables import candidates_table

LABEL = "flaky-test"
MOST_TESTS = 50
"""In one issue: more of them are no matter of single tests."""
_TABLE_BYTES = 50_000  # of GitHub's 65,536 characters
_NAME_CHARACTERS = 150
_PULLS_NAMED = 5
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True)
class IssueText:
    """An issue in words: a title of at most 256 characters, and Markdown."""

    title: str
    body: str


def mark_of(failure: CommitFailure) -> str:
    """What an issue about the test has in its body."""
    return f"<!-- flakeguard:test {failure.test_case_id} -->"


def render_issue(commit: Commit, flakes: Sequence[CommitFailure], pr_numbers: Collection[int], *, by: str) -> IssueText:
    """The issue about `flakes`, at least one and at most `MOST_TESTS`.

    GitHub shows it at the commit and the pull requests that it names, and tells `by`, the login of who asked for it.
    """
    first, *others = flakes
    title = f"Flaky test{'s' if others else ''}: {clip(first.name, _NAME_CHARACTERS)}"
    if others:
        title += f" and {len(others)} more"
    tests, they = ("these tests", "They") if others else ("this test", "It")
    head = f"FlakeGuard takes {tests} for flaky. {they} failed on {commit.sha}{_in_pulls(pr_numbers)}."
    table = candidates_table(replace(commit, failures=tuple(flakes), unseen=0), _TABLE_BYTES)
    asked = f"@{by}" if _LOGIN.fullmatch(by) else text(by)
    tail = f"<sub>Asked for by {asked}. While this is open, FlakeGuard opens no other issue for {tests}.</sub>"
    marks = "\n".join(mark_of(failure) for failure in flakes)
    return IssueText(title, "\n\n".join((head, table, tail, marks)))


def _in_pulls(pr_numbers: Collection[int]) -> str:
    named = ", ".join(f"#{number}" for number in sorted(pr_numbers)[:_PULLS_NAMED])
    return f" ({named})" if named else ""

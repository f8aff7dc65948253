"""The check run's conclusion and its buttons. docs/github.md has the rule as a table. Pure."""

from collections.abc import Set as AbstractSet

from flakeguard.analysis.model import Answer
from flakeguard.github.publishing.model import Action, Commit, Conclusion, End

ACTION_REQUIRED_FROM = 0.8
"""Odds of *yours* from which somebody has to act; below, a rerun may still show that it was nothing."""

QUARANTINE_FROM = 0.7
MOST_ACTIONS = 3  # GitHub's
_RERUN_HELPS = (Answer.CANNOT_TELL, Answer.KNOWN_FLAKE, Answer.OUTAGE)

RERUN_FAILED = Action("Rerun failed jobs", "Run the failed jobs of this commit again", "rerun_failed")
QUARANTINE = Action("Quarantine flakes", "Keep the flaky tests from failing builds", "quarantine")
OPEN_ISSUE = Action("Open an issue", "Open an issue about the flaky tests", "open_issue")


def conclude(commit: Commit) -> Conclusion:
    """Red only for what its author most probably broke: what is not the change's fault must not hold it up."""
    if not commit.failing:
        return Conclusion.SUCCESS
    if any(failure.answer is Answer.YOURS and failure.likely >= ACTION_REQUIRED_FROM for failure in commit.failing):
        return Conclusion.ACTION_REQUIRED
    return Conclusion.NEUTRAL


def actions(commit: Commit, handled: AbstractSet[str]) -> tuple[Action, ...]:
    """The buttons that would help, of those that somebody answers."""
    flakes = [failure for failure in commit.failures if failure.is_candidate]
    wanted: list[Action] = []
    if commit.may_rerun and any(
        failure.end is End.FAILED and failure.answer in _RERUN_HELPS for failure in commit.failures
    ):
        wanted.append(RERUN_FAILED)
    if any(failure.flake >= QUARANTINE_FROM for failure in flakes):
        wanted.append(QUARANTINE)
    if flakes:
        wanted.append(OPEN_ISSUE)
    return tuple(action for action in wanted if action.identifier in handled)[:MOST_ACTIONS]

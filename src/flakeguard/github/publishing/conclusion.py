"""The check run's conclusion and its buttons. docs/github.md has the rule as a table. Pure."""

from collections.abc import Set as AbstractSet

from flakeguard.analysis.model import Answer
from flakeguard.github.publishing.model import Action, Commit, CommitFailure, Conclusion, End
from flakeguard.quarantine.decisions import FLAKES, State
from flakeguard.quarantine.policy import DEFAULT_POLICY

ACTION_REQUIRED_FROM = 0.8
"""Odds of *yours* from which somebody has to act; below, a rerun may still show that it was nothing."""

QUARANTINE_FROM = DEFAULT_POLICY.confidence_threshold
MOST_ACTIONS = 3  # GitHub's
_RERUN_HELPS = (Answer.CANNOT_TELL, Answer.KNOWN_FLAKE, Answer.OUTAGE)

RERUN_FAILED = Action("Rerun failed jobs", "Run the failed jobs of this commit again", "rerun_failed")
QUARANTINE = Action("Quarantine flakes", "Keep the flaky tests from failing builds", "quarantine")
DISMISS_FLAKE = Action("Dismiss proposals", "Do not propose these for quarantine", "dismiss_flake")
OPEN_ISSUE = Action("Open an issue", "Open an issue about the flaky tests", "open_issue")


def conclude(commit: Commit) -> Conclusion:
    """Red only for what its author most probably broke: what is not the change's fault must not hold it up.

    Neither must what somebody has quarantined.
    """
    if not commit.failing:
        return Conclusion.SUCCESS
    if any(map(_holds_up, commit.failing)):
        return Conclusion.ACTION_REQUIRED
    return Conclusion.NEUTRAL


def _holds_up(failure: CommitFailure) -> bool:
    is_theirs = failure.answer is Answer.YOURS and failure.likely >= ACTION_REQUIRED_FROM
    return is_theirs and failure.quarantined_until is None


def to_quarantine(commit: Commit) -> tuple[CommitFailure, ...]:
    """The flakes of the commit that are sure enough, and not in quarantine: those that the button is about."""
    return tuple(
        failure
        for failure in commit.failures
        if failure.is_candidate
        and failure.flake >= QUARANTINE_FROM
        and failure.verdict in FLAKES
        and not (failure.decision and failure.decision.state is State.ACTIVE)
    )


def to_dismiss(commit: Commit) -> tuple[CommitFailure, ...]:
    """Those that are proposed for quarantine."""
    return tuple(
        failure for failure in commit.failures if failure.decision and failure.decision.state is State.PROPOSED
    )


def to_report(commit: Commit) -> tuple[CommitFailure, ...]:
    """The commit's flakes: those that the button about an issue is about."""
    return tuple(failure for failure in commit.failures if failure.is_candidate)


def actions(commit: Commit, handled: AbstractSet[str]) -> tuple[Action, ...]:
    """The buttons that would help, of those that somebody answers.

    An issue is for what running it again settles no more: it is not offered while that is.
    """
    wanted: list[Action] = []
    if commit.may_rerun and any(
        failure.end is End.FAILED and failure.answer in _RERUN_HELPS for failure in commit.failures
    ):
        wanted.append(RERUN_FAILED)
    if to_quarantine(commit):
        wanted.append(QUARANTINE)
    if to_report(commit) and RERUN_FAILED not in wanted:
        wanted.append(OPEN_ISSUE)
    if to_dismiss(commit):
        wanted.append(DISMISS_FLAKE)
    return tuple(action for action in wanted if action.identifier in handled)[:MOST_ACTIONS]

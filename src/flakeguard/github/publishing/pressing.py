"""What the buttons about quarantine do, to exactly the tests that they are about, in the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Protocol

from flakeguard.github.publishing.conclusion import to_dismiss, to_quarantine
from flakeguard.github.publishing.model import Commit, CommitFailure
from flakeguard.github.publishing.tables import day, percent
from flakeguard.quarantine import deciding
from flakeguard.quarantine.policy import QuarantinePolicy
from flakeguard.quarantine.repository import Decider, Draft, scores
from fluxbase.db import Connection

_SHORT_SHA = 8
_NAMED = 20


class Decide(Protocol):
    """Decides on tests of a commit, and says what was done."""

    async def __call__(
        self, connection: Connection, commit: Commit, decider: Decider, *, policy: QuarantinePolicy, now: datetime
    ) -> str:
        """What was done, for the audit trail."""
        ...


async def quarantine(
    connection: Connection, commit: Commit, decider: Decider, *, policy: QuarantinePolicy, now: datetime
) -> str:
    """Quarantine the commit's sure flakes; what was done. Those that are in quarantine stay as they are."""
    done: list[CommitFailure] = []
    for project_id, failures in _by_project(to_quarantine(commit)):
        known = await scores(connection, project_id, [failure.test_case_id for failure in failures])
        drafts = [
            _draft(commit, failure, known[failure.test_case_id])
            for failure in failures
            if failure.test_case_id in known
        ]
        tests = await deciding.quarantine(connection, project_id, drafts, decider=decider, policy=policy, now=now)
        done += [failure for failure in failures if failure.test_case_id in tests]
    if not done:
        return "No flaky test of this commit is left to quarantine."
    return f"Quarantined until {day(now + policy.duration)}: {_names(done)}."


async def dismiss(
    connection: Connection, commit: Commit, decider: Decider, *, policy: QuarantinePolicy, now: datetime
) -> str:
    """Dismiss what is proposed of the commit's tests; what was done."""
    done: list[CommitFailure] = []
    for project_id, failures in _by_project(to_dismiss(commit)):
        wanted = [failure.test_case_id for failure in failures]
        tests = await deciding.dismiss(connection, project_id, wanted, decider=decider, policy=policy, now=now)
        done += [failure for failure in failures if failure.test_case_id in tests]
    if not done:
        return "No test of this commit is proposed for quarantine."
    return f"Not proposed again until {day(now + policy.duration)}: {_names(done)}."


def _by_project(failures: Sequence[CommitFailure]) -> list[tuple[int, list[CommitFailure]]]:
    ordered = sorted(failures, key=lambda failure: failure.project_id)
    return [(project_id, list(some)) for project_id, some in groupby(ordered, lambda failure: failure.project_id)]


def _draft(commit: Commit, failure: CommitFailure, score: float) -> Draft:
    place = f"{commit.repository}@{commit.sha[:_SHORT_SHA]}"
    why = f"A flake with odds of {percent(failure.flake)} on {place}: {failure.reason}"
    return Draft(failure.test_case_id, score, failure.flake, why)


def _names(failures: Sequence[CommitFailure]) -> str:
    names = ", ".join(failure.name for failure in failures[:_NAMED])
    more = len(failures) - _NAMED
    return f"{names} and {more} more" if more > 0 else names

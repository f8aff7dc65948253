"""What members do: look at decisions, quarantine a test, dismiss what is proposed, end a quarantine."""

from datetime import datetime

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.projects.access import Action, require_project
from flakeguard.quarantine import deciding, repository
from flakeguard.quarantine.decisions import FLAKES, why
from flakeguard.quarantine.errors import InvalidReasonError, NoOpenDecisionError, NotAFlakeError
from flakeguard.quarantine.policy import QuarantinePolicy
from flakeguard.quarantine.repository import Decider, Decision, Draft
from flakeguard.quarantine.reviewing import candidates_of
from fluxbase.auth import User
from fluxbase.db import Connection, Database
from fluxbase.errors import NotFoundError

LONGEST_REASON = 500


async def quarantine(
    database: Database,
    user: User,
    project_id: int,
    test_case_id: int,
    *,
    reason: str = "",
    policy: QuarantinePolicy,
    config: AnalysisConfig,
    now: datetime,
) -> Decision:
    """Quarantine a test for as long as the policy says; the decision, which may have been made before.

    Without a reason the figures that speak for it are its reason.

    Raises:
        NotFoundError, PermissionDeniedError, InvalidReasonError: As they say.
        NotAFlakeError: Its verdict is another.
    """
    reason = clean_reason(reason)
    async with database.transaction() as connection:
        await _require(connection, user, project_id, test_case_id)
        candidates = await candidates_of(
            connection, project_id, [test_case_id], FLAKES, policy=policy, config=config, now=now
        )
        standing = candidates[0].standing if candidates else None
        if standing is None or standing.verdict not in FLAKES:
            raise NotAFlakeError
        draft = Draft(test_case_id, standing.score, standing.confidence, reason or why(standing, policy))
        await deciding.quarantine(connection, project_id, [draft], decider=_decider(user), policy=policy, now=now)
        return await _latest(connection, project_id, test_case_id)


async def dismiss(
    database: Database, user: User, project_id: int, test_case_id: int, *, policy: QuarantinePolicy, now: datetime
) -> Decision:
    """Dismiss what is proposed of a test; the decision.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
        NoOpenDecisionError: Nothing is proposed.
    """
    async with database.transaction() as connection:
        await _require(connection, user, project_id, test_case_id)
        done = await deciding.dismiss(
            connection, project_id, [test_case_id], decider=_decider(user), policy=policy, now=now
        )
        if not done:
            raise NoOpenDecisionError
        return await _latest(connection, project_id, test_case_id)


async def end(database: Database, user: User, project_id: int, test_case_id: int, *, now: datetime) -> Decision:
    """End a test's quarantine; the decision.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
        NoOpenDecisionError: It is in none.
    """
    async with database.transaction() as connection:
        await _require(connection, user, project_id, test_case_id)
        if not await deciding.end(connection, project_id, [test_case_id], decider=_decider(user), now=now):
            raise NoOpenDecisionError
        return await _latest(connection, project_id, test_case_id)


def clean_reason(reason: str) -> str:
    """The reason without space around it.

    Raises:
        InvalidReasonError: It is too long, or has control characters.
    """
    reason = reason.replace("\r\n", "\n").strip()
    if len(reason) > LONGEST_REASON or any(ord(one) < ord(" ") and one != "\n" for one in reason):
        raise InvalidReasonError
    return reason


async def _require(connection: Connection, user: User, project_id: int, test_case_id: int) -> None:
    await require_project(connection, user, project_id, Action.DECIDE)
    if not await repository.test_exists(connection, project_id, test_case_id):
        raise NotFoundError("There is no such test in this project.")


async def _latest(connection: Connection, project_id: int, test_case_id: int) -> Decision:
    return (await repository.decisions_of_test(connection, project_id, test_case_id, 1))[0]


def _decider(user: User) -> Decider:
    return Decider(user.email, user.id)

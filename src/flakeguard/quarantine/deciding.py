"""People decide: quarantine, dismiss, end. In the caller's transaction, with an event in the audit trail."""

from collections.abc import Sequence
from datetime import datetime

from flakeguard.analysis.repository import SQL as ANALYSIS_SQL
from flakeguard.projects import audit
from flakeguard.quarantine import repository
from flakeguard.quarantine.policy import QuarantinePolicy
from flakeguard.quarantine.repository import SQL, Decider, Draft
from fluxbase.db import Connection


async def quarantine(
    connection: Connection,
    project_id: int,
    drafts: Sequence[Draft],
    *,
    decider: Decider,
    policy: QuarantinePolicy,
    now: datetime,
) -> list[int]:
    """Quarantine these tests of a project, for as long as the policy says; those that were not before."""
    until = now + policy.duration
    tests = await repository.activate(connection, project_id, drafts, until=until, now=now, decider=decider)
    await _tell(connection, project_id, "quarantine.activated", tests, decider, until=until)
    return tests


async def dismiss(
    connection: Connection,
    project_id: int,
    tests: Sequence[int],
    *,
    decider: Decider,
    policy: QuarantinePolicy,
    now: datetime,
) -> list[int]:
    """Dismiss the proposals of these tests, for as long as the policy says; those that were dismissed."""
    until = now + policy.duration
    dismissed = await repository.dismiss(connection, project_id, tests, until=until, now=now, decider=decider)
    await _tell(connection, project_id, "quarantine.dismissed", dismissed, decider, until=until)
    return dismissed


async def end(
    connection: Connection, project_id: int, tests: Sequence[int], *, decider: Decider, now: datetime
) -> list[int]:
    """End the quarantine of these tests; those that were in one."""
    ended = await repository.end(connection, project_id, tests, now=now, decider=decider)
    await _tell(connection, project_id, "quarantine.ended", ended, decider)
    return ended


async def _tell(
    connection: Connection, project_id: int, action: str, tests: Sequence[int], decider: Decider, **more: datetime
) -> None:
    if not tests:
        return
    await audit.record(
        connection, organization_id=await connection.fetchval(SQL["organization_of_project"], project_id),
        project_id=project_id, action=action, actor_id=decider.user_id,
        actor_email=decider.name if decider.user_id else None, by=decider.name, tests=list(tests),
        **{name: moment.isoformat() for name, moment in more.items()},
    )  # fmt: skip
    await connection.execute(ANALYSIS_SQL["notify"], f"{project_id}:")  # open pages look again

"""The job of a button of our check run: done where that is possible today, and answered where it is not."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import structlog

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.turns import turn
from flakeguard.github.errors import GitHubRefusedError, GoneError
from flakeguard.github.installations import repository
from flakeguard.github.installations.client import AppClient
from flakeguard.github.installations.repository import KnownRepository
from flakeguard.github.publishing import issuing, pressing
from flakeguard.github.publishing.conclusion import DISMISS_FLAKE, OPEN_ISSUE, QUARANTINE, RERUN_FAILED
from flakeguard.github.publishing.pressing import Decide
from flakeguard.github.publishing.repository import SQL, find_target, gather
from flakeguard.github.webhooks.owing import owe_answer
from flakeguard.github.webhooks.repository import runs_of_commit
from flakeguard.projects import audit
from flakeguard.quarantine.policy import DEFAULT_POLICY
from flakeguard.quarantine.repository import Decider
from flakeguard.worker.errors import InvalidJobError, NoAppError
from flakeguard.worker.outbox import settle
from fluxbase.db import Connection
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

NOT_YET: Mapping[str, str] = {
    "mark_stable": "Verdicts follow from what tests did; FlakeGuard does not let anybody overrule one yet.",
}
_NOBODYS = "The installation is nobody's by now, or suspended."
_MAY_DECIDE = ("admin", "write")
_FAILED = ("failure", "timed_out", "startup_failure", "cancelled")


@dataclass(frozen=True, slots=True)
class _Asked:
    action: str
    installation_id: int
    repository_id: int
    head_sha: str
    by: str
    cause: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        try:
            told = data["repository"]
            ids = int(told["installationId"]), int(told["repositoryId"])
            by, cause = str(data.get("requestedBy")), str(data.get("correlationId"))
            return cls(str(data["action"]), *ids, str(data["headSha"]), by, cause)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidJobError(f"requested-action needs repository, action and headSha: {error!r}") from error


@dataclass(frozen=True, slots=True)
class _Press:
    """A button, pressed: of which repository, and what it takes to answer."""

    resources: Resources
    client: AppClient
    config: AnalysisConfig
    known: KnownRepository
    asked: _Asked
    public_url: str | None

    @property
    def owner_and_name(self) -> tuple[str, str]:
        owner, _, name = self.known.full_name.partition("/")
        return owner, name


type _Answer = Callable[[_Press], Awaitable[str]]


async def perform(
    resources: Resources,
    client: AppClient | None,
    data: Mapping[str, Any],
    *,
    job_id: str,
    config: AnalysisConfig,
    public_url: str | None = None,
) -> str:
    """Do what the button asks for, and leave the answer in the organisation's audit trail; the answer.

    It is done before this is settled, and a job that is cut short between does it twice: GitHub refuses to run what
    runs already, what is decided is not decided again, and an issue that is open is found.

    Raises:
        InvalidJobError: `data` is not what the job needs.
        NoAppError: Without a client nothing can be done for a button.
        flakeguard.github.errors: GitHub is away, limits us, or refuses.
    """
    asked = _Asked.of(data)
    if client is None:
        raise NoAppError
    async with resources.database.transaction() as connection:
        known = await _known(connection, asked)
    if known is None:
        answer = "The repository is another installation's by now, or nobody's."
    elif act := _ANSWERS.get(asked.action):
        press = _Press(resources, client, config, known, asked, public_url)
        answer = await _refusal(press) or await act(press)
    else:
        answer = NOT_YET.get(asked.action, f"FlakeGuard knows no action {asked.action}.")
    async with resources.database.transaction() as connection:
        if await settle(connection, job_id) and known is not None:
            await _tell(connection, known, asked, answer)
    logger.info("action answered", action=asked.action, answer=answer)
    return answer


async def _known(connection: Connection, asked: _Asked) -> KnownRepository | None:
    found = await repository.find_repository(connection, asked.repository_id)
    return found if found is not None and found.installation_id == asked.installation_id else None


async def _rerun(press: _Press) -> str:
    async with press.resources.database.transaction() as connection:
        runs = await runs_of_commit(connection, press.known.id, press.asked.head_sha)
    failed = [run.workflow_run_id for run in runs if run.conclusion in _FAILED]
    if not failed:
        return "No run of this commit failed."
    told: list[str] = []
    for run_id in failed:
        try:
            await press.client.installation(press.known.installation_id).rerun_failed_jobs(
                *press.owner_and_name, run_id
            )
            told.append(f"{run_id}")
        except GitHubRefusedError as error:  # it may run already: somebody else pressed, or this is our second try
            told.append(f"{run_id} (not now: {error})")
        except GoneError:
            told.append(f"{run_id} (GitHub has it no more)")
    return f"Failed jobs run again: {', '.join(told)}."


def _deciding(decide: Decide) -> _Answer:
    """Decide; then the commit is published anew."""

    async def act(press: _Press) -> str:
        return await _decided(press, decide)

    return act


async def _refusal(press: _Press) -> str | None:
    """Why nothing is done; None for who may write to the repository."""
    installation = press.client.installation(press.known.installation_id)
    if await installation.permission_of(*press.owner_and_name, press.asked.by) not in _MAY_DECIDE:
        return f"{press.asked.by} may do nothing here: that takes write access to {press.known.full_name}."
    return None


async def _decided(press: _Press, decide: Decide) -> str:
    now, asked = press.resources.now(), press.asked
    async with press.resources.database.transaction() as connection:
        target = await find_target(connection, press.known.id, asked.head_sha)
        if target is None:
            return _NOBODYS
        gathered = await gather(connection, target, public_url=None, config=press.config, now=now)
        answer = await decide(connection, gathered.commit, Decider(f"@{asked.by}"), policy=DEFAULT_POLICY, now=now)
        await owe_answer(connection, press.known, asked.head_sha, cause=asked.cause)
    return answer


async def _open_issue(press: _Press) -> str:
    """Two presses at once take turns, so that the second one sees the issue of the first."""
    now, of = press.resources.now(), f"flakeguard issues {press.known.id}"
    async with turn(press.resources.database, "lock", of, queries=SQL) as connection:
        target = await find_target(connection, press.known.id, press.asked.head_sha)
        if target is None:
            return _NOBODYS
        gathered = await gather(connection, target, public_url=press.public_url, config=press.config, now=now)
        pulls = await connection.fetch(SQL["pulls_of_commit"], press.known.id, press.asked.head_sha)
        tracker = press.client.installation(press.known.installation_id)
        return await issuing.report(tracker, gathered.commit, [row["pr_number"] for row in pulls], by=press.asked.by)


_ANSWERS: Mapping[str, _Answer] = {
    RERUN_FAILED.identifier: _rerun,
    QUARANTINE.identifier: _deciding(pressing.quarantine),
    OPEN_ISSUE.identifier: _open_issue,
    DISMISS_FLAKE.identifier: _deciding(pressing.dismiss),
}


async def _tell(connection: Connection, known: KnownRepository, asked: _Asked, answer: str) -> None:
    installation = await repository.lock_installation(connection, known.installation_id)
    if installation is None or installation.organization_id is None:
        return
    await audit.record(
        connection, organization_id=installation.organization_id, project_id=known.project_id,
        action="github.action_requested", requested=asked.action, by=asked.by,
        repository=known.full_name, answer=answer,
    )  # fmt: skip

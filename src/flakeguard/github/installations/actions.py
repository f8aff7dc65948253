"""The job of a button of our check run: done where that is possible today, and answered where it is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import structlog

from flakeguard.github.errors import GitHubRefusedError
from flakeguard.github.installations import repository
from flakeguard.github.installations.client import AppClient
from flakeguard.github.installations.repository import KnownRepository
from flakeguard.github.webhooks.repository import KnownRun, runs_of_commit
from flakeguard.projects import audit
from flakeguard.worker.errors import InvalidJobError
from flakeguard.worker.outbox import settle
from fluxbase.db import Connection
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

RERUN_FAILED = "rerun_failed"
NOT_YET: Mapping[str, str] = {
    "quarantine": "FlakeGuard does not quarantine tests yet.",
    "open_issue": "FlakeGuard does not open issues yet.",
    "dismiss_flake": "Verdicts follow from what tests did; FlakeGuard does not let anybody overrule one yet.",
    "mark_stable": "Verdicts follow from what tests did; FlakeGuard does not let anybody overrule one yet.",
}
_FAILED = ("failure", "timed_out", "startup_failure", "cancelled")


@dataclass(frozen=True, slots=True)
class _Asked:
    action: str
    installation_id: int
    repository_id: int
    head_sha: str
    by: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        try:
            told = data["repository"]
            ids = int(told["installationId"]), int(told["repositoryId"])
            return cls(str(data["action"]), *ids, str(data["headSha"]), str(data.get("requestedBy")))
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidJobError(f"requested-action needs repository, action and headSha: {error!r}") from error


async def perform(resources: Resources, client: AppClient | None, data: Mapping[str, Any], *, job_id: str) -> str:
    """Do what the button asks for, and leave the answer in the organisation's audit trail; the answer.

    Runs are begun again at GitHub before this is settled: a job that is cut short between may ask twice, and GitHub
    refuses what runs already.

    Raises:
        InvalidJobError: `data` is not what the job needs.
    """
    asked = _Asked.of(data)
    async with resources.database.transaction() as connection:
        known = await _known(connection, asked)
        runs = await runs_of_commit(connection, known.id, asked.head_sha) if known else []
    if known is None:
        answer = "The repository is another installation's by now, or nobody's."
    elif asked.action == RERUN_FAILED:
        answer = await _rerun(client, known, runs)
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


async def _rerun(client: AppClient | None, known: KnownRepository, runs: list[KnownRun]) -> str:
    failed = [run.workflow_run_id for run in runs if run.conclusion in _FAILED]
    if client is None:
        return "This server has no key of the App: GITHUB_APP_ID and GITHUB_PRIVATE_KEY are not set."
    if not failed:
        return "No run of this commit failed."
    owner, _, name = known.full_name.partition("/")
    told: list[str] = []
    for run_id in failed:
        try:
            await client.installation(known.installation_id).rerun_failed_jobs(owner, name, run_id)
            told.append(f"{run_id}")
        except GitHubRefusedError as error:  # it may run already: somebody else pressed, or this is our second try
            told.append(f"{run_id} (not now: {error})")
    return f"Failed jobs run again: {', '.join(told)}."


async def _tell(connection: Connection, known: KnownRepository, asked: _Asked, answer: str) -> None:
    installation = await repository.lock_installation(connection, known.installation_id)
    if installation is None or installation.organization_id is None:
        return
    await audit.record(
        connection, organization_id=installation.organization_id, project_id=known.project_id,
        action="github.action_requested", requested=asked.action, by=asked.by,
        repository=known.full_name, answer=answer,
    )  # fmt: skip

"""Review every open decision by the clock: nothing stays for ever, whether or not anybody uploads."""

from dataclasses import asdict
from typing import Any

import structlog

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.quarantine.policy import QuarantinePolicy
from flakeguard.quarantine.repository import SQL
from flakeguard.quarantine.reviewing import Reviewed, review
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)


async def review_what_is_open(resources: Resources, policy: QuarantinePolicy, config: AnalysisConfig) -> Reviewed:
    """Expire what is past its day and resolve what has healed, one transaction a project; how many in all.

    Raises:
        ExceptionGroup: Of projects that failed; the others were reviewed.
    """
    async with resources.database.transaction() as connection:
        projects = [project for (project,) in await connection.fetch(SQL["projects_with_open"])]
    reviewed, failed = Reviewed(), list[Exception]()
    for project_id in projects:
        try:
            reviewed += await _review_project(resources, project_id, policy, config)
        except Exception as error:
            logger.exception("quarantine not reviewed", project_id=project_id)
            failed.append(error)
    if failed:
        raise ExceptionGroup(f"quarantine of {len(failed)} projects was not reviewed", failed)
    return reviewed


async def _review_project(
    resources: Resources, project_id: int, policy: QuarantinePolicy, config: AnalysisConfig
) -> Reviewed:
    async with resources.database.transaction() as connection:
        tests: list[Any] = [test for (test,) in await connection.fetch(SQL["open_tests"], project_id)]
        found = await review(connection, project_id, tests, policy=policy, config=config, now=resources.now())
    if found.changed:
        logger.info("quarantine reviewed", project_id=project_id, **asdict(found))
    return found

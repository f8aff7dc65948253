"""Review every open decision by the clock: nothing stays for ever, whether or not anybody uploads."""

from dataclasses import asdict
from itertools import batched

import structlog

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.quarantine.policy import QuarantinePolicy
from flakeguard.quarantine.repository import SQL
from flakeguard.quarantine.reviewing import Reviewed, review
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

_TESTS_AT_ONCE = 250  # each brings its window, and to judge them holds everything else up here


async def review_what_is_open(resources: Resources, policy: QuarantinePolicy, config: AnalysisConfig) -> Reviewed:
    """Expire what is past its day and resolve what has healed, some tests at a time; how many in all.

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
        tests = [test for (test,) in await connection.fetch(SQL["open_tests"], project_id)]
    found = Reviewed()
    for some in batched(tests, _TESTS_AT_ONCE):
        async with resources.database.transaction() as connection:
            found += await review(connection, project_id, some, policy=policy, config=config, now=resources.now())
    if found.changed:
        logger.info("quarantine reviewed", project_id=project_id, **asdict(found))
    return found

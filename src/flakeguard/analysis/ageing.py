"""Judge everything again once a day: verdicts fall when nothing is uploaded, too."""

from datetime import timedelta

import structlog

from flakeguard.analysis.analyzing import reanalyze_project
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.repository import SQL
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

_AGED_FOR = timedelta(hours=20)  # less than a day, so that what was made up for late is due at the hour again


async def age_what_is_due(resources: Resources, config: AnalysisConfig) -> int:
    """Age every project that was not aged within the last 20 hours; how many. Each is aged by whoever claims it.

    Raises:
        ExceptionGroup: Of projects that failed, which are due again; the others were aged.
    """
    aged, failed = 0, dict[int, Exception]()
    while True:
        now = resources.now()
        async with resources.database.transaction() as connection:
            project_id = await connection.fetchval(SQL["claim_ageing"], now, now - _AGED_FOR)
        if project_id is None:
            break
        try:
            await _age(resources, config, project_id)
        except Exception as error:
            logger.exception("ageing failed", project_id=project_id)
            failed[project_id] = error
        else:
            aged += 1
    if failed:
        async with resources.database.transaction() as connection:
            await connection.execute(SQL["due_for_ageing"], list(failed))
        raise ExceptionGroup(f"{len(failed)} projects were not aged", list(failed.values()))
    return aged


async def _age(resources: Resources, config: AnalysisConfig, project_id: int) -> None:
    tests = await reanalyze_project(resources.database, project_id, recompute=False, config=config, now=resources.now())
    logger.info("ageing completed", project_id=project_id, tests=tests)

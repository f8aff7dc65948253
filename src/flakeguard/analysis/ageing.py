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
    """Age every project that was not aged within the last 20 hours; how many. Each is aged by whoever claims it."""
    aged = 0
    while True:
        now = resources.now()
        async with resources.database.transaction() as connection:
            project_id = await connection.fetchval(SQL["claim_ageing"], now, now - _AGED_FOR)
        if project_id is None:
            return aged
        await _age(resources, config, project_id)
        aged += 1


async def _age(resources: Resources, config: AnalysisConfig, project_id: int) -> None:
    """Age one project; that it cannot be aged is no reason to leave out the others."""
    try:
        tests = await reanalyze_project(
            resources.database, project_id, recompute=False, config=config, now=resources.now()
        )
    except Exception:
        logger.exception("ageing failed", project_id=project_id)
    else:
        logger.info("ageing completed", project_id=project_id, tests=tests)

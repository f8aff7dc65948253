"""Judge everything again once a day: verdicts fall when nothing is uploaded, too."""

from collections.abc import Iterable
from datetime import timedelta

import structlog

from flakeguard.analysis.analyzing import reanalyze_project
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.repository import SQL
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

_AGED_FOR = timedelta(hours=20)  # less than a day, so that what was made up for late is due at the hour again


async def age_what_is_due(resources: Resources, config: AnalysisConfig) -> int:
    """Age every project that was not aged within the last 20 hours; how many: none where another run is at it.

    A project is told as aged when it is: whatever ends this run, the next one begins with those that are left.

    Raises:
        ExceptionGroup: Of projects that failed; the others were aged.
    """
    async with resources.database.transaction() as turn:
        if not await turn.fetchval(SQL["try_ageing"]):
            logger.info("ageing is being done by another worker")
            return 0
        return await _age_all(resources, config)


async def _age_all(resources: Resources, config: AnalysisConfig) -> int:
    aged, failed = 0, dict[int, Exception]()
    while (project_id := await _next_due(resources, failed)) is not None:
        try:
            await _age(resources, config, project_id)
        except Exception as error:
            logger.exception("ageing failed", project_id=project_id)
            failed[project_id] = error
        else:
            aged += 1
    if failed:
        raise ExceptionGroup(f"{len(failed)} projects were not aged", list(failed.values()))
    return aged


async def _next_due(resources: Resources, failed: Iterable[int]) -> int | None:
    async with resources.database.transaction() as connection:
        return await connection.fetchval(SQL["due_for_ageing"], resources.now() - _AGED_FOR, list(failed))


async def _age(resources: Resources, config: AnalysisConfig, project_id: int) -> None:
    now = resources.now()
    tests = await reanalyze_project(resources.database, project_id, recompute=False, config=config, now=now)
    async with resources.database.transaction() as connection:
        await connection.execute(SQL["aged"], project_id, now)
    logger.info("ageing completed", project_id=project_id, tests=tests)

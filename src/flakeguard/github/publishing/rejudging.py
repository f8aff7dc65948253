"""Judge the tests of a workflow run again, when a job asks for it."""

from datetime import datetime

from flakeguard.analysis.analyzing import Tell, analyze_run
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.repository import Judged
from flakeguard.analysis.turns import turn
from flakeguard.github.publishing.repository import SQL
from fluxbase.db import Database


async def rejudge(
    database: Database, repository_id: int, workflow_run_id: int, *, config: AnalysisConfig, now: datetime, tell: Tell
) -> int:
    """How many tests were judged, of which `tell` hears once they are committed.

    Attempts that were counted are not counted again, so it is safe to repeat.
    """
    async with database.transaction() as connection:
        runs = await connection.fetch(SQL["runs_of_workflow_run"], repository_id, workflow_run_id)
    judged = 0
    for run in runs:
        found: list[Judged] = []
        async with turn(database, "lock_project", run["project_id"]) as connection:
            reports = [key for (key,) in await connection.fetch(SQL["counted_reports"], run["run_id"])]
            tests, _ = await analyze_run(connection, run["run_id"], reports, config=config, now=now, tell=found.extend)
        tell(found)
        judged += tests
    return judged

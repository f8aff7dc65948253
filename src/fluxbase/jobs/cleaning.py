"""The house's own function: what has ended is kept for a while, then deleted."""

from datetime import timedelta

from fluxbase.jobs.context import Job
from fluxbase.jobs.functions import Functions
from fluxbase.jobs.repository import SQL

CLEANING = "fluxbase.jobs.clean"
_HOURLY = "23 * * * *"
_BATCH = 1_000
_WORKERS_KEPT = timedelta(days=1)


def cleaning_functions(retention: timedelta) -> Functions:
    """Each hour delete jobs that ended longer than `retention` ago, and workers that stopped a day ago."""
    functions = Functions()

    @functions.function(CLEANING)
    async def clean(job: Job) -> dict[str, int]:
        deleted = await _delete_finished(job, retention)
        async with job.resources.database.transaction() as connection:
            status = await connection.execute(SQL["delete_stopped_workers"], _WORKERS_KEPT)
        return {"jobs": deleted, "workers": int(status.rpartition(" ")[2])}

    functions.schedule(CLEANING, function=CLEANING, cron=_HOURLY)
    return functions


async def _delete_finished(job: Job, retention: timedelta) -> int:
    deleted = 0
    while True:
        async with job.resources.database.transaction() as connection:
            status = await connection.execute(SQL["delete_finished"], retention, _BATCH)
        count = int(status.rpartition(" ")[2])
        deleted += count
        if count < _BATCH:
            return deleted

"""Which jobs a person may enqueue, and whether their data are what the job's name promises."""

from collections.abc import Mapping
from typing import Any

from flakeguard.worker import jobs
from flakeguard.worker.errors import InvalidJobError
from flakeguard.worker.queues import ANALYZE, INGEST, POLLING, TESTS_RECOMPUTE

_JOBS: Mapping[tuple[str, str], type[jobs.JobData]] = {
    (INGEST, jobs.PROCESS_RUN): jobs.RunsIngestJobData,
    (INGEST, jobs.PROCESS_UPLOAD): jobs.UploadJobData,
    (ANALYZE, jobs.ANALYZE_UPLOAD): jobs.UploadJobData,
    (ANALYZE, jobs.ANALYZE_RUN): jobs.RunsAnalyzeJobData,
    (ANALYZE, jobs.RECOMPUTE_PROJECT): jobs.RecomputeProjectJobData,
    (TESTS_RECOMPUTE, jobs.RECOMPUTE): jobs.TestsRecomputeJobData,
    (POLLING, jobs.POLL_REPOSITORY): jobs.PollRepositoryJobData,
    (POLLING, jobs.DISCOVER): jobs.JobData,
}


def accepted(queue: str, name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a job to enqueue, without what the job does not know.

    Raises:
        InvalidJobError: The queue takes no job of that name, or the data are not what it needs.
    """
    model = _JOBS.get((queue, name))
    if model is None:
        names = ", ".join(known for of, known in _JOBS if of == queue)
        raise InvalidJobError(f"{queue} takes no job {name[:80]!r}; it takes {names}")
    return model.of(name, data).to_json()

"""Jobs: Python functions by name, run once by one of many workers, now, later or by the clock."""

from fluxbase.jobs.context import Job
from fluxbase.jobs.errors import PermanentError
from fluxbase.jobs.functions import Function, Functions, Schedule
from fluxbase.jobs.health import jobs_health, jobs_stats
from fluxbase.jobs.model import JobsStats, JobStatus, StoredJob
from fluxbase.jobs.retry import Backoff
from fluxbase.jobs.running import functions_of, jobs_in_process, running_jobs
from fluxbase.jobs.submitting import submit

__all__ = [
    "Backoff",
    "Function",
    "Functions",
    "Job",
    "JobStatus",
    "JobsStats",
    "PermanentError",
    "Schedule",
    "StoredJob",
    "functions_of",
    "jobs_health",
    "jobs_in_process",
    "jobs_stats",
    "running_jobs",
    "submit",
]

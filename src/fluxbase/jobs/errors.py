"""What can be wrong with functions, schedules and jobs."""

from fluxbase.errors import ConflictError, InvalidRequestError, NotFoundError, RateLimitError


class PermanentError(Exception):
    """Raised by a function: trying again cannot help, fail the job now."""


class ClaimLostError(Exception):
    """The job is no longer this worker's: it was taken over, cancelled or begun anew. What it did is not recorded."""


class UnknownFunctionError(NotFoundError):
    """No worker has declared a function of this name."""

    code = "unknown_function"


class InvalidJobError(InvalidRequestError):
    """The job cannot be taken as it is."""

    code = "invalid_job"


class TooManyPendingError(RateLimitError):
    """So many jobs of this user wait that no more are taken."""

    code = "too_many_pending_jobs"


class UnreadableScheduleError(ConflictError):
    """Somebody has given the schedule an expression or a time zone that is none."""

    code = "unreadable_schedule"


class JobFinishedError(ConflictError):
    """The job has ended already."""

    code = "job_finished"


class JobNotFinishedError(ConflictError):
    """The job has not ended yet, so it cannot begin anew."""

    code = "job_not_finished"

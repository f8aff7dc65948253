"""What can go wrong between GitHub and us, in the terms of the worker's retry policy.

No text of these holds a token: they are logged, and kept with dead letters.
"""

from flakeguard.worker.errors import RetryLater
from fluxbase.errors import InvalidRequestError, NotFoundError


class RateLimitedError(RetryLater):
    """GitHub takes no more calls for a while. Waiting uses up none of a job's tries."""

    code = "github_rate_limited"

    def __init__(self, retry_after_seconds: float, *, reserved: bool = False) -> None:
        """`reserved`: calls are left in this hour, and kept for what cannot wait."""
        why = "what is left of GitHub's calls is kept for webhooks" if reserved else "GitHub's rate limit is used up"
        super().__init__(
            retry_after_seconds, counts=False, message=f"{why}; to be asked again in {retry_after_seconds:.0f} seconds"
        )


class GitHubAwayError(RetryLater):
    """GitHub cannot be reached, does not answer in time, or fails itself (5xx)."""

    code = "github_unavailable"

    def __init__(self, message: str = "", *, seconds: float | None = None) -> None:
        super().__init__(seconds, counts=True, message=message or "GitHub cannot be reached")


class GitHubRefusedError(InvalidRequestError):
    """GitHub refuses; trying again cannot help until a person has done what the text says."""

    code = "github_refused"

    def __init__(self, message: str = "", *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class LockedError(GitHubRefusedError):
    """The conversation is locked: nobody without write access of their own comments there."""

    code = "github_locked"


class NoSuchCommitError(GitHubRefusedError):
    """The repository has no such commit: it was never pushed, or nothing names it any more."""

    code = "github_no_such_commit"


class GoneError(NotFoundError):
    """What was asked for is not there: expired, deleted, or never ours to see."""

    code = "github_gone"


class TooLargeError(InvalidRequestError):
    """A download is larger than this server takes."""

    code = "github_download_too_large"


class HalfArtifactError(RetryLater):
    """An artifact ended before its end: the network's fault, so it is fetched again."""

    code = "half_artifact"

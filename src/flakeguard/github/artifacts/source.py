"""What fetching results needs of GitHub: of one installation, as our App. `flakeguard.github.api` gives it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import BinaryIO, Protocol

from flakeguard.github.facts import Artifact, Job, RunPage, WorkflowRun


class Source(Protocol):
    """An installation's reading side. Errors are on `flakeguard.worker.errors.RetryLater` where waiting helps."""

    async def run(self, owner: str, repo: str, run_id: int) -> WorkflowRun:
        """The run at its latest attempt."""
        ...

    async def attempt_started_at(self, owner: str, repo: str, run_id: int, attempt: int) -> datetime | None:
        """When an attempt of a run began; an earlier one than the latest too."""
        ...

    async def artifacts(self, owner: str, repo: str, run_id: int) -> Sequence[Artifact]:
        """Those of all attempts. Raises GoneError when GitHub keeps none of the run any more."""
        ...

    async def download_artifact(self, owner: str, repo: str, artifact_id: int, into: BinaryIO, most_bytes: int) -> bool:
        """Write the ZIP into the file; whether it is certain that all of it came.

        Raises GoneError, TooLargeError, or GitHubAwayError when it ends early.
        """
        ...

    async def jobs(self, owner: str, repo: str, run_id: int, attempt: int) -> Sequence[Job]:
        """The jobs of an attempt."""
        ...

    def runs(self, owner: str, repo: str, created_since: datetime, etags: Sequence[str]) -> AsyncIterator[RunPage]:
        """Runs created since then, page by page; `etags` are those of the pages of an earlier look, in their order."""
        ...

"""What fetching results needs of GitHub: of one installation, as our App. The API's client gives it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol

from flakeguard.worker.errors import RetryLater


class ArtifactGoneError(Exception):
    """GitHub has deleted what was asked for (410, or 404 of an artifact that it listed)."""


class HalfArtifactError(RetryLater):
    """An artifact ended before its end: the network's fault, so it is fetched again."""

    code = "half_artifact"


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """A run at its latest attempt. `branch` is `owner:branch` of a fork's."""

    id: int
    attempt: int
    head_sha: str
    branch: str | None
    event: str | None
    pr_numbers: tuple[int, ...]
    workflow_name: str | None
    run_number: int | None
    html_url: str | None
    status: str | None
    conclusion: str | None
    created_at: datetime
    run_started_at: datetime | None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact of a run, of whichever attempt. `size_bytes` is what GitHub says of it."""

    id: int
    name: str
    size_bytes: int
    expired: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """A job of an attempt, with the labels of the runner that it asked for."""

    name: str
    labels: tuple[str, ...]
    started_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs of a repository, newest first; `not_modified` when the list is the one that `etag` was given with."""

    runs: Sequence[WorkflowRun]
    etag: str | None = None
    not_modified: bool = False


class Source(Protocol):
    """An installation's reading side. Errors are on `flakeguard.worker.errors.RetryLater` where waiting helps."""

    async def run(self, owner: str, repo: str, run_id: int) -> WorkflowRun:
        """The run at its latest attempt."""
        ...

    async def artifacts(self, owner: str, repo: str, run_id: int) -> Sequence[Artifact]:
        """Those of all attempts. Raises ArtifactGoneError when GitHub keeps none of the run any more."""
        ...

    async def download_artifact(self, owner: str, repo: str, artifact_id: int, into: BinaryIO, most_bytes: int) -> None:
        """Write the ZIP into the file. Raises ArtifactGoneError, or HalfArtifactError where it sees one."""
        ...

    async def jobs(self, owner: str, repo: str, run_id: int, attempt: int) -> Sequence[Job]:
        """The jobs of an attempt."""
        ...

    def runs(self, owner: str, repo: str, created_since: datetime, etag: str | None) -> AsyncIterator[RunPage]:
        """Runs created since then, page by page."""
        ...

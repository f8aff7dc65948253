"""Accounts, repositories, runs and what runs leave, as GitHub tells of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Account:
    """The user or organisation at GitHub that the App is installed for."""

    id: int
    login: str
    type: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as an event names it; None is what the event does not tell."""

    id: int
    full_name: str
    private: bool | None = None
    default_branch: str | None = None


@dataclass(frozen=True, slots=True)
class App:
    """The App itself. `installations` is None where GitHub does not count them."""

    id: int
    name: str
    slug: str | None
    events: tuple[str, ...]
    installations: int | None


@dataclass(frozen=True, slots=True)
class AppInstallation:
    """An installation of the App, as GitHub lists it."""

    id: int
    account: Account
    suspended_at: datetime | None


@dataclass(frozen=True, slots=True)
class HookDelivery:
    """One attempt of GitHub to hand a delivery over; attempts of the same delivery have its `guid`.

    `status` is GitHub's word (`OK`, `timed out`, …), `status_code` what we answered, or 0.
    """

    id: int
    guid: str
    event: str
    action: str | None
    installation_id: int | None
    delivered_at: datetime
    status: str
    status_code: int

    @property
    def failed(self) -> bool:
        """Whether GitHub takes it for not handed over."""
        return not 200 <= self.status_code < 400  # noqa: PLR2004 -- HTTP's


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt of a workflow run, as an event tells of it. `head_branch` is `owner:branch` of a fork's."""

    id: int
    attempt: int
    head_sha: str
    head_branch: str | None
    event: str | None
    pr_numbers: tuple[int, ...]
    workflow_name: str | None
    run_number: int | None
    html_url: str | None
    status: str | None
    conclusion: str | None
    run_started_at: datetime | None

    @property
    def completed(self) -> bool:
        """Whether there can be artifacts to fetch."""
        return self.status == "completed"


@dataclass(frozen=True, slots=True)
class WorkflowRun(Run):
    """A run at its latest attempt, as GitHub answers. `created_at` is the first attempt's."""

    created_at: datetime
    updated_at: datetime


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
    """A page of a repository's runs, newest first; `not_modified` when it is the one that `etag` was given with."""

    runs: Sequence[WorkflowRun]
    etag: str | None = None
    not_modified: bool = False


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue; `ours` when our App opened it."""

    number: int
    html_url: str
    body: str
    ours: bool


def branch_of(head_branch: str | None, head_repository: str | None, repository: str) -> str | None:
    """A run's branch: `owner:branch` where it is a fork's, whose `main` is not ours. Repositories are `owner/name`."""
    if head_branch is None or head_repository is None or head_repository == repository:
        return head_branch
    return f"{head_repository.partition('/')[0]}:{head_branch}"

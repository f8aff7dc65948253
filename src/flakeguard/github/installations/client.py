"""What installations need of GitHub's API."""

from collections.abc import Sequence
from typing import Protocol

from flakeguard.github.facts import Issue, Repository


class InstalledApp(Protocol):
    """The App, as one installation of it."""

    async def repositories(self) -> Sequence[Repository]:
        """What it reaches."""
        ...

    async def rerun_failed_jobs(self, owner: str, repo: str, run_id: int) -> None:
        """Run the failed jobs of a workflow run again."""
        ...

    async def open_issues(self, owner: str, repo: str, label: str) -> Sequence[Issue]:
        """The open issues with a label."""
        ...

    async def open_issue(self, owner: str, repo: str, title: str, body: str, label: str) -> Issue:
        """Open one. Raises GoneError where the repository has no issues."""
        ...

    async def permission_of(self, owner: str, repo: str, login: str) -> str:
        """What somebody may do in a repository: `admin`, `write`, `read` or `none`."""
        ...


class AppClient(Protocol):
    """The App."""

    def installation(self, installation_id: int) -> InstalledApp:
        """One of its installations."""
        ...

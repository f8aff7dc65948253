"""What publishing needs of GitHub, for one repository."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from flakeguard.github.publishing.model import Annotation


class Poster(Protocol):
    """A repository at GitHub, as our App. Errors are those of `flakeguard.github.errors`."""

    async def find_check_run(self, sha: str, name: str, external_id: str) -> int | None:
        """Our check run on the commit, whoever made it of us; None when there is none."""
        ...

    async def create_check_run(self, body: Mapping[str, Any]) -> int:
        """Make one; its id."""
        ...

    async def update_check_run(self, check_run_id: int, body: Mapping[str, Any]) -> bool:
        """Change one; annotations are added to those there. False when it is gone."""
        ...

    async def annotations(self, check_run_id: int) -> Sequence[Annotation]:
        """Those that a check run has."""
        ...

    async def find_comment(self, pr_number: int, marker: str) -> int | None:
        """Our own comment with the marker; None when there is none."""
        ...

    async def create_comment(self, pr_number: int, body: str) -> int:
        """Make one; its id."""
        ...

    async def update_comment(self, comment_id: int, body: str) -> bool:
        """Change one; False when it is gone."""
        ...

    async def open_pulls(self, sha: str) -> Sequence[int]:
        """The open pull requests whose head the commit is."""
        ...

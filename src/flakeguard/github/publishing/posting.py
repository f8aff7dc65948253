"""The poster over GitHub's REST interface: which address, which body, which page."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from flakeguard.github.publishing.model import Annotation
from flakeguard.github.publishing.repository import Target
from fluxbase.errors import NotFoundError

_PAGE = 100
_MOST_PAGES = 30


class MissingAtGitHubError(NotFoundError):
    """What was to be written to is not there; trying again does not help."""


class Rest(Protocol):
    """REST calls as one installation."""

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str | int] | None = None,
    ) -> Any:
        """The answer's JSON; None when there is no such thing (404, 410). Other refusals are raised."""
        ...


@dataclass(frozen=True, slots=True)
class RestPoster:
    """A repository at GitHub, by REST. `app_id` tells our own comments from those that quote them."""

    rest: Rest
    target: Target
    app_id: int

    async def find_check_run(self, sha: str, name: str, external_id: str) -> int | None:
        """Our check run on the commit; None when there is none."""
        params = {"check_name": name, "app_id": self.app_id, "filter": "all"}
        async for one in self._pages(f"commits/{sha}/check-runs", params, within="check_runs"):
            if one.get("external_id") == external_id:
                return int(one["id"])
        return None

    async def create_check_run(self, body: Mapping[str, Any]) -> int:
        """Make one; its id."""
        return int((await self._existing("POST", "check-runs", body))["id"])

    async def update_check_run(self, check_run_id: int, body: Mapping[str, Any]) -> bool:
        """Change one; False when it is gone."""
        return await self.rest.call("PATCH", self._path(f"check-runs/{check_run_id}"), json=body) is not None

    async def annotations(self, check_run_id: int) -> Sequence[Annotation]:
        """Those that a check run has."""
        return [
            Annotation(
                path=one["path"],
                line=one["start_line"],
                level=one.get("annotation_level") or "notice",
                title=one.get("title") or "",
                message=one.get("message") or "",
            )
            async for one in self._pages(f"check-runs/{check_run_id}/annotations", {})
        ]

    async def find_comment(self, pr_number: int, marker: str) -> int | None:
        """Our own comment with the marker; None when there is none."""
        async for one in self._pages(f"issues/{pr_number}/comments", {}):
            by: Mapping[str, Any] | None = one.get("performed_via_github_app")
            if by is not None and by["id"] == self.app_id and marker in (one.get("body") or ""):
                return int(one["id"])
        return None

    async def create_comment(self, pr_number: int, body: str) -> int:
        """Make one; its id."""
        return int((await self._existing("POST", f"issues/{pr_number}/comments", {"body": body}))["id"])

    async def update_comment(self, comment_id: int, body: str) -> bool:
        """Change one; False when it is gone."""
        path = self._path(f"issues/comments/{comment_id}")
        return await self.rest.call("PATCH", path, json={"body": body}) is not None

    async def open_pulls(self, sha: str) -> Sequence[int]:
        """The open pull requests whose head the commit is."""
        return [
            int(one["number"])
            async for one in self._pages(f"commits/{sha}/pulls", {})
            if one["state"] == "open" and one["head"]["sha"] == sha
        ]

    def _path(self, rest: str) -> str:
        owner, name = self.target.owner_and_name
        return f"/repos/{owner}/{name}/{rest}"

    async def _existing(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        answer = await self.rest.call(method, self._path(path), json=body)
        if answer is None:
            raise MissingAtGitHubError(
                f"GitHub knows no {self._path(path)}: is the repository or pull request gone, or the App not permitted"
                " to write checks and pull requests?"
            )
        return answer

    async def _pages(
        self, path: str, params: Mapping[str, str | int], within: str | None = None
    ) -> AsyncIterator[Mapping[str, Any]]:
        for page in range(1, _MOST_PAGES + 1):
            wanted = {**params, "per_page": _PAGE, "page": page}
            answer: Any = await self.rest.call("GET", self._path(path), params=wanted)
            items: Sequence[Mapping[str, Any]] = answer[within] if within and answer else answer or ()
            for item in items:
                yield item
            if len(items) < _PAGE:
                return

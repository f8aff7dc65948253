"""A repository as publishing needs it: check runs and comments of our own."""

from collections.abc import Mapping, Sequence
from typing import Any

from flakeguard.github.api.calling import Body, json_of
from flakeguard.github.api.installation import Installation
from flakeguard.github.errors import GoneError, NoSuchCommitError
from flakeguard.github.publishing.model import Annotation

_REPO = "/repos/{owner}/{repo}"


class RepositoryPoster:
    """A `publishing.poster.Poster` by GitHub's API. Every method raises the errors of `github.errors`."""

    def __init__(self, installation: Installation, owner: str, repo: str) -> None:
        self._installation = installation
        self._repository = {"owner": owner, "repo": repo}

    async def find_check_run(self, sha: str, name: str, external_id: str) -> int | None:
        """Our check run on the commit; None when there is none."""
        query = {"check_name": name, "app_id": self._installation.app_id, "filter": "all"}
        endpoint = f"GET {_REPO}/commits/{{ref}}/check-runs"
        async for told in self._installation.listed(endpoint, "check_runs", self._at(ref=sha), query):
            if told.get("external_id") == external_id:
                return told["id"]
        return None

    async def create_check_run(self, body: Mapping[str, Any]) -> int:
        """Make one; its id."""
        return await self._make(f"POST {_REPO}/check-runs", self._at(), body)

    async def update_check_run(self, check_run_id: int, body: Mapping[str, Any]) -> bool:
        """Change one; False when it is gone."""
        return await self._change(
            f"PATCH {_REPO}/check-runs/{{check_run_id}}", self._at(check_run_id=check_run_id), body
        )

    async def annotations(self, check_run_id: int) -> Sequence[Annotation]:
        """Those that a check run has; none when it is gone."""
        endpoint = f"GET {_REPO}/check-runs/{{check_run_id}}/annotations"
        try:
            return [
                Annotation(
                    told["path"], told["start_line"], told["annotation_level"] or "", told["title"] or "",
                    told["message"] or "",
                )
                async for told in self._installation.listed(endpoint, None, self._at(check_run_id=check_run_id))
            ]  # fmt: skip
        except GoneError:
            return []

    async def find_comment(self, pr_number: int, marker: str) -> int | None:
        """Our own comment with the marker: a person who quotes it is not us."""
        endpoint = f"GET {_REPO}/issues/{{number}}/comments"
        async for told in self._installation.listed(endpoint, None, self._at(number=pr_number)):
            by: Mapping[str, Any] = told.get("performed_via_github_app") or {}
            if by.get("id") == self._installation.app_id and marker in (told.get("body") or ""):
                return told["id"]
        return None

    async def create_comment(self, pr_number: int, body: str) -> int:
        """Make one; its id."""
        return await self._make(f"POST {_REPO}/issues/{{number}}/comments", self._at(number=pr_number), {"body": body})

    async def update_comment(self, comment_id: int, body: str) -> bool:
        """Change one; False when it is gone."""
        endpoint = f"PATCH {_REPO}/issues/comments/{{comment_id}}"
        return await self._change(endpoint, self._at(comment_id=comment_id), {"body": body})

    async def open_pulls(self, sha: str) -> Sequence[int]:
        """The open pull requests whose head the commit is."""
        endpoint = f"GET {_REPO}/commits/{{sha}}/pulls"
        try:
            return [
                told["number"]
                async for told in self._installation.listed(endpoint, None, self._at(sha=sha))
                if told["state"] == "open" and told["head"]["sha"] == sha
            ]
        except NoSuchCommitError:
            return []  # it was pushed over, or is a fork's

    def _at(self, **more: object) -> Mapping[str, object]:
        return self._repository | more

    async def _make(self, endpoint: str, path: Mapping[str, object], body: Body) -> int:
        return json_of(await self._installation.call(endpoint, path, body=body), endpoint)["id"]

    async def _change(self, endpoint: str, path: Mapping[str, object], body: Body) -> bool:
        try:
            await self._installation.call(endpoint, path, body=body)
        except GoneError:
            return False
        return True

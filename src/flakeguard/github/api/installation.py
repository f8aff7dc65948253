"""The App in one installation: what it reads and does there."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO

import httpx

from flakeguard.github.api.calling import A_PAGE, MOST_PAGES, Asked, Body, Caller, entries_of, json_of, next_page
from flakeguard.github.api.downloading import download
from flakeguard.github.api.reading import artifact_of, issue_of, job_of, run_of
from flakeguard.github.api.tokens import Tokens
from flakeguard.github.errors import GitHubAwayError, GitHubRefusedError, GoneError
from flakeguard.github.facts import Artifact, Issue, Job, Repository, RunPage, WorkflowRun
from flakeguard.worker.metrics import GitHubMetrics

_REPO = "/repos/{owner}/{repo}"
_NOT_MODIFIED, _UNAUTHORIZED = 304, 401


class Installation:
    """Every method raises RateLimitedError, GitHubAwayError, GitHubRefusedError or GoneError of `github.errors`."""

    def __init__(
        self,
        installation_id: int,
        app_id: int,
        caller: Caller,
        tokens: Tokens,
        metrics: GitHubMetrics,
        *,
        can_wait: bool = False,
    ) -> None:
        self.id = installation_id
        self.app_id = app_id
        self._caller = caller
        self._tokens = tokens
        self._metrics = metrics
        self._can_wait = can_wait

    async def repositories(self) -> Sequence[Repository]:
        """What it reaches."""
        return [
            Repository(told["id"], told["full_name"], told.get("private"), told.get("default_branch"))
            async for told in self.listed("GET /installation/repositories", "repositories", {})
        ]

    async def run(self, owner: str, repo: str, run_id: int) -> WorkflowRun:
        """A workflow run at its latest attempt."""
        endpoint = f"GET {_REPO}/actions/runs/{{run_id}}"
        return run_of(json_of(await self.call(endpoint, {"owner": owner, "repo": repo, "run_id": run_id}), endpoint))

    async def attempt_started_at(self, owner: str, repo: str, run_id: int, attempt: int) -> datetime | None:
        """When an attempt of a run began; an earlier one than the latest too."""
        endpoint = f"GET {_REPO}/actions/runs/{{run_id}}/attempts/{{attempt_number}}"
        path = {"owner": owner, "repo": repo, "run_id": run_id, "attempt_number": attempt}
        return run_of(json_of(await self.call(endpoint, path), endpoint)).run_started_at

    async def runs(
        self, owner: str, repo: str, created_since: datetime, etags: Sequence[str] = ()
    ) -> AsyncIterator[RunPage]:
        """Completed runs that were created since, newest first, page by page. GitHub shows the newest 1,000.

        With the `etags` of the pages of an earlier look GitHub says of each whether it is still the same, at no cost of
        the rate limit: the first may be while a later one is not, where an older run was begun again.
        """
        endpoint = f"GET {_REPO}/actions/runs"
        query = {"status": "completed", "created": f">={created_since.strftime('%Y-%m-%dT%H:%M:%SZ')}"}
        number = 0
        async for answer in self.pages(endpoint, {"owner": owner, "repo": repo}, query, etags):
            number += 1
            if answer.status_code == _NOT_MODIFIED:
                yield RunPage((), etags[number - 1], not_modified=True)
                continue
            found = [run_of(told) for told in entries_of(answer, endpoint, "workflow_runs")]
            yield RunPage(found, answer.headers.get("etag"))

    async def artifacts(self, owner: str, repo: str, run_id: int) -> Sequence[Artifact]:
        """Those of a run, of all its attempts."""
        endpoint = f"GET {_REPO}/actions/runs/{{run_id}}/artifacts"
        path = {"owner": owner, "repo": repo, "run_id": run_id}
        return [artifact_of(told) async for told in self.listed(endpoint, "artifacts", path)]

    async def jobs(self, owner: str, repo: str, run_id: int, attempt: int) -> Sequence[Job]:
        """Those of an attempt."""
        endpoint = f"GET {_REPO}/actions/runs/{{run_id}}/attempts/{{attempt}}/jobs"
        path = {"owner": owner, "repo": repo, "run_id": run_id, "attempt": attempt}
        return [job_of(told) async for told in self.listed(endpoint, "jobs", path)]

    async def download_artifact(self, owner: str, repo: str, artifact_id: int, into: BinaryIO, most_bytes: int) -> bool:
        """Write its ZIP to `into`, a piece at a time; what was written is of no use when this raises.

        Whether it is certain that all of it came: the storage had said how much there is.

        Raises:
            TooLargeError: It has more than `most_bytes`.
            GitHubAwayError: It ended before its end.
            GoneError: It has expired.
        """
        endpoint = f"GET {_REPO}/actions/artifacts/{{artifact_id}}/zip"
        answer = await self.call(endpoint, {"owner": owner, "repo": repo, "artifact_id": artifact_id})
        address = answer.headers.get("location")
        if not address:
            raise GitHubAwayError(f"{endpoint}: the answer names no address")
        return await download(address, into, most_bytes, api_url=self._caller.api_url, metrics=self._metrics)

    async def rerun_failed_jobs(self, owner: str, repo: str, run_id: int) -> None:
        """Run the failed jobs of a workflow run again."""
        path = {"owner": owner, "repo": repo, "run_id": run_id}
        await self.call(f"POST {_REPO}/actions/runs/{{run_id}}/rerun-failed-jobs", path)

    async def open_issues(self, owner: str, repo: str, label: str) -> Sequence[Issue]:
        """Those with the label; pull requests, which GitHub lists among them, are left out."""
        listed = self.listed(f"GET {_REPO}/issues", None, {"owner": owner, "repo": repo}, {"labels": label})
        return [issue_of(told, self.app_id) async for told in listed if "pull_request" not in told]

    async def open_issue(self, owner: str, repo: str, title: str, body: str, label: str) -> Issue:
        """Open one. GitHub makes the label where the repository has none of that name.

        Raises:
            GoneError: The repository has no issues.
        """
        endpoint = f"POST {_REPO}/issues"
        answer = await self.call(
            endpoint, {"owner": owner, "repo": repo}, body={"title": title, "body": body, "labels": [label]}
        )
        return issue_of(json_of(answer, endpoint), self.app_id)

    async def permission_of(self, owner: str, repo: str, login: str) -> str:
        """What somebody may do in a repository: `admin`, `write`, `read` or `none`, which is also said of nobody."""
        endpoint = f"GET {_REPO}/collaborators/{{username}}/permission"
        try:
            answer = await self.call(endpoint, {"owner": owner, "repo": repo, "username": login})
        except GoneError:
            return "none"
        return str(json_of(answer, endpoint)["permission"])

    async def call(
        self,
        endpoint: str,
        path: Mapping[str, object],
        *,
        query: Mapping[str, str | int] | None = None,
        body: Body | None = None,
        etag: str | None = None,
    ) -> httpx.Response:
        """A call with the installation's token. One that GitHub takes no more is renewed, once.

        With an `etag`, the answer is 304 when what is there is still what it was given with.
        """
        token = await self._tokens.of(self.id)
        asked: Asked = {
            "budget": self.id, "path": path, "query": query, "body": body, "etag": etag, "can_wait": self._can_wait,
        }  # fmt: skip
        try:
            return await self._caller.call(endpoint, token=token, **asked)
        except GitHubRefusedError as error:
            if error.status != _UNAUTHORIZED:
                raise
        self._tokens.forget(self.id, token)
        return await self._caller.call(endpoint, token=await self._tokens.of(self.id), **asked)

    async def pages(
        self,
        endpoint: str,
        path: Mapping[str, object],
        query: Mapping[str, str | int] | None = None,
        etags: Sequence[str] = (),
    ) -> AsyncIterator[httpx.Response]:
        """Answers of a list, as GitHub's links lead from one to the next; `etags` are those of its pages, or "".

        A page that is not modified (304) is said to be so without a link: it leads where it led before, which is where
        the next of the `etags` was given.
        """
        first = {**(query or {}), "per_page": A_PAGE}
        wanted: Mapping[str, str | int] | None = first
        for number in range(MOST_PAGES):
            answer = await self.call(endpoint, path, query=wanted, etag=_at(etags, number))
            yield answer
            if answer.status_code != _NOT_MODIFIED:
                wanted = next_page(answer)
            else:
                wanted = {**first, "page": number + 2} if number + 1 < len(etags) else None
            if wanted is None:
                return

    async def listed(
        self,
        endpoint: str,
        key: str | None,
        path: Mapping[str, object],
        query: Mapping[str, str | int] | None = None,
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Entries of a list, page by page: of the answer's `key`, or of the answer itself."""
        async for answer in self.pages(endpoint, path, query):
            for one in entries_of(answer, endpoint, key):
                yield one


def _at(etags: Sequence[str], number: int) -> str | None:
    return etags[number] or None if number < len(etags) else None

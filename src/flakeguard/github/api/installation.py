"""The App in one installation: what it reads and does there."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO

import httpx

from flakeguard.github.api.calling import A_PAGE, Body, Caller, json_of, page_of
from flakeguard.github.api.downloading import download
from flakeguard.github.api.model import Artifact, Downloaded, Job, Run
from flakeguard.github.api.tokens import Tokens
from flakeguard.github.errors import GitHubAwayError, GitHubRefusedError
from flakeguard.github.facts import Repository
from flakeguard.worker.metrics import GitHubMetrics

_REPO = "/repos/{owner}/{repo}"
_UNAUTHORIZED = 401


class Installation:
    """Every method raises RateLimitedError, GitHubAwayError, GitHubRefusedError or GoneError of `github.errors`."""

    def __init__(
        self, installation_id: int, app_id: int, caller: Caller, tokens: Tokens, metrics: GitHubMetrics
    ) -> None:
        self.id = installation_id
        self.app_id = app_id
        self._caller = caller
        self._tokens = tokens
        self._metrics = metrics

    async def repositories(self) -> Sequence[Repository]:
        """What it reaches."""
        return [
            Repository(told["id"], told["full_name"], told.get("private"), told.get("default_branch"))
            async for told in self.listed("GET /installation/repositories", "repositories", {})
        ]

    async def run(self, owner: str, repo: str, run_id: int, attempt: int | None = None) -> Run:
        """A workflow run: its latest attempt, or the one that is named."""
        endpoint = f"GET {_REPO}/actions/runs/{{run_id}}"
        path: dict[str, object] = {"owner": owner, "repo": repo, "run_id": run_id}
        if attempt is not None:
            endpoint, path = f"{endpoint}/attempts/{{attempt}}", path | {"attempt": attempt}
        return Run.of(json_of(await self.call(endpoint, path), endpoint))

    async def runs(self, owner: str, repo: str, created_since: datetime) -> AsyncIterator[Run]:
        """Completed runs that were created since, newest first, as pages are read. GitHub shows the newest 1,000."""
        query = {"status": "completed", "created": f">={created_since.strftime('%Y-%m-%dT%H:%M:%SZ')}"}
        path = {"owner": owner, "repo": repo}
        async for told in self.listed(f"GET {_REPO}/actions/runs", "workflow_runs", path, query):
            yield Run.of(told)

    async def artifacts(self, owner: str, repo: str, run_id: int) -> Sequence[Artifact]:
        """Those of a run, of all its attempts."""
        endpoint = f"GET {_REPO}/actions/runs/{{run_id}}/artifacts"
        path = {"owner": owner, "repo": repo, "run_id": run_id}
        return [Artifact.of(told) async for told in self.listed(endpoint, "artifacts", path)]

    async def jobs(self, owner: str, repo: str, run_id: int, attempt: int) -> Sequence[Job]:
        """Those of an attempt."""
        endpoint = f"GET {_REPO}/actions/runs/{{run_id}}/attempts/{{attempt}}/jobs"
        path = {"owner": owner, "repo": repo, "run_id": run_id, "attempt": attempt}
        return [Job.of(told) async for told in self.listed(endpoint, "jobs", path)]

    async def download_artifact(
        self, owner: str, repo: str, artifact_id: int, into: BinaryIO, most_bytes: int
    ) -> Downloaded:
        """Write its ZIP to `into`, a piece at a time; what was written is of no use when this raises.

        Raises:
            TooLargeError: It has more than `most_bytes`.
            GoneError: It has expired.
        """
        endpoint = f"GET {_REPO}/actions/artifacts/{{artifact_id}}/zip"
        answer = await self.call(endpoint, {"owner": owner, "repo": repo, "artifact_id": artifact_id})
        address = answer.headers.get("location")
        if not address:
            raise GitHubAwayError(f"{endpoint}: the answer names no address")
        return await download(address, into, most_bytes, metrics=self._metrics)

    async def rerun_failed_jobs(self, owner: str, repo: str, run_id: int) -> None:
        """Run the failed jobs of a workflow run again."""
        path = {"owner": owner, "repo": repo, "run_id": run_id}
        await self.call(f"POST {_REPO}/actions/runs/{{run_id}}/rerun-failed-jobs", path)

    async def call(
        self,
        endpoint: str,
        path: Mapping[str, object],
        *,
        query: Mapping[str, str | int] | None = None,
        body: Body | None = None,
    ) -> httpx.Response:
        """A call with the installation's token. One that GitHub takes no more is renewed, once."""
        token = await self._tokens.of(self.id)
        try:
            return await self._caller.call(endpoint, token=token, budget=self.id, path=path, query=query, body=body)
        except GitHubRefusedError as error:
            if error.status != _UNAUTHORIZED:
                raise
        self._tokens.forget(self.id, token)
        token = await self._tokens.of(self.id)
        return await self._caller.call(endpoint, token=token, budget=self.id, path=path, query=query, body=body)

    async def listed(
        self,
        endpoint: str,
        key: str | None,
        path: Mapping[str, object],
        query: Mapping[str, str | int] | None = None,
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Entries of a list, page by page: of the answer's `key`, or of the answer itself."""
        page: int | None = 1
        while page is not None:
            wanted = {**(query or {}), "per_page": A_PAGE, "page": page}
            answer = await self.call(endpoint, path, query=wanted)
            found, page = page_of(answer, endpoint, key, page)
            for one in found:
                yield one

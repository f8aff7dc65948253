"""A fake GitHub in a process of its own, started, filled and read from this one.

with running_github() as github:
    shop = github.add_repository("acme/shop", number=815, installation=4711)
    github.add_run(shop, 1000, head_sha="a" * 40)
    github.add_artifact(shop, 1000, "junit", zip_bytes)
    github.faults_at_rate(0.2, seed=7)
    …                                  # settings: GITHUB_API_URL=github.url, GITHUB_PRIVATE_KEY=github.private_key
    github.state()["repositories"][0]["check_runs"]
"""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

_ROOT = Path(__file__).parents[2]
_PATIENCE_SECONDS = 30


class RemoteGitHub:
    """Repositories are named by their number. Raises httpx's errors, with what the other process said."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.url: str = told["url"]
        self.private_key: str = told["private_key"]
        self.app_id: int = told["app_id"]
        self._client = httpx.Client(base_url=self.url, timeout=_PATIENCE_SECONDS)

    def close(self) -> None:
        self._client.close()

    def add_repository(self, full_name: str, number: int, installation: int = 4711) -> int:
        return self._do("add_repository", full_name=full_name, number=number, installation=installation)

    def add_run(self, repository: int, run_id: int, **told: Any) -> int:
        return self._do("add_run", repository=repository, run_id=run_id, **told)

    def add_job(self, repository: int, run_id: int, name: str, **told: Any) -> None:
        self._do("add_job", repository=repository, run_id=run_id, name=name, **told)

    def add_artifact(self, repository: int, run_id: int, name: str, content: bytes, **told: Any) -> int:
        sent = base64.b64encode(content).decode()
        return self._do("add_artifact", repository=repository, run_id=run_id, name=name, content=sent, **told)

    def add_pull(self, repository: int, number: int, sha: str, state: str = "open") -> None:
        self._do("add_pull", repository=repository, number=number, sha=sha, state=state)

    def fault(self, pattern: str, fault: str, *args: Any, times: int | None = 1) -> None:
        """One of `faults.NAMED`, to the next `times` requests of the pattern; to all of them when None."""
        self._do("fault", pattern=pattern, fault=fault, args=args, times=times)

    def faults_at_rate(
        self, rate: float, choices: Sequence[str] | None = None, pattern: str = "", seed: int = 1
    ) -> None:
        """Some of `faults.NAMED`, or `faults.anything()`, to a part of the requests of the pattern."""
        self._do("faults_at_rate", rate=rate, choices=choices, pattern=pattern, seed=seed)

    def clear_faults(self) -> None:
        self._do("clear_faults")

    def state(self) -> dict[str, Any]:
        """Counts, check runs and comments of each repository, faults that happened, violations of the description."""
        return self._client.get("/_fake/state").raise_for_status().json()

    def asked_for(self, pattern: str = "") -> list[tuple[str, str, dict[str, str]]]:
        """Method, path and query of requests whose `METHOD path` the pattern is found in."""
        found = self._client.get("/_fake/asked", params={"pattern": pattern}).raise_for_status().json()
        return [(method, path, query) for method, path, query in found]

    def _do(self, what: str, **args: Any) -> Any:
        answer = self._client.post(f"/_fake/{what}", json=args)
        if answer.status_code != httpx.codes.OK:
            raise httpx.HTTPStatusError(answer.text, request=answer.request, response=answer)
        return answer.json()


@contextmanager
def running_github() -> Iterator[RemoteGitHub]:
    """Started on free ports, and ended with the block; requests and answers must have been GitHub's.

    Raises:
        AssertionError: They were not.
    """
    command = [sys.executable, "-m", "tests.github"]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            github = RemoteGitHub(json.loads(process.stdout.readline()))
            try:
                yield github
                violations = github.state()["violations"]
            finally:
                github.close()
        finally:
            process.terminate()
    assert not violations, "\n".join(violations)

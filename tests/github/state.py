"""What the fake GitHub holds: installations, their repositories, and what was asked. A test says it, and reads it.

Entries are as short as a test likes: `shapes` completes them to GitHub's when they are answered.
"""

import functools
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

APP_ID, ACCOUNT = 29310, 99
PERSON_TOKEN = "ghu_person"  # of somebody who administers every account that has installed the App
WHEN = "2026-11-25T10:00:00Z"


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Repository:
    """What a repository holds."""

    id: int
    full_name: str
    installation_id: int
    default_branch: str = "main"
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    earlier: dict[tuple[int, int], dict[str, Any]] = field(default_factory=dict)  # by attempt: what differs
    jobs: dict[tuple[int, int], list[dict[str, Any]]] = field(default_factory=dict)
    artifacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    zips: dict[int, bytes] = field(default_factory=dict)
    check_runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    has_issues: bool = True
    rerun: list[int] = field(default_factory=list)
    permissions: dict[str, str] = field(default_factory=dict)  # of whom it says nothing: nobody GitHub knows
    former_names: set[str] = field(default_factory=set)


@dataclass
class Budget:
    """An installation's calls of this hour."""

    remaining: int
    limit: int
    reset: int

    def spend(self) -> bool:
        self.remaining -= 1
        return self.remaining >= 0

    def headers(self) -> dict[str, str]:
        left = max(self.remaining, 0)
        return {
            "x-ratelimit-limit": str(self.limit), "x-ratelimit-remaining": str(left),
            "x-ratelimit-used": str(self.limit - left), "x-ratelimit-reset": str(self.reset),
            "x-ratelimit-resource": "core",
        }  # fmt: skip


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


class State:
    """All of it. `storage` is where artifacts are kept: another host, which takes no token."""

    def __init__(self) -> None:
        self.key = _key()
        self.private_key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        self.url = self.storage = ""
        self.installations: set[int] = set()
        self.repositories: dict[int, Repository] = {}
        self.tokens: dict[str, int] = {}
        self.token_lasts = timedelta(hours=1)
        self.budgets: dict[int, Budget] = {}
        self.suspended: dict[int, str] = {}
        self.deliveries: list[dict[str, Any]] = []
        self.hand_over: Callable[[dict[str, Any]], Awaitable[int]] | None = None
        self.asked: list[Asked] = []
        self._ids = count(1)

    def next_id(self) -> int:
        return next(self._ids)

    def add_repository(self, full_name: str = "acme/shop", number: int = 815, installation: int = 4711) -> Repository:
        self.installations.add(installation)
        made = self.repositories[number] = Repository(number, full_name, installation)
        return made

    def add_run(self, repository: Repository, run_id: int, **told: Any) -> dict[str, Any]:
        repository.runs[run_id] = {
            "id": run_id, "run_attempt": 1, "run_number": 7, "name": "CI", "head_sha": "a" * 40, "head_branch": "main",
            "event": "push", "status": "completed", "conclusion": "failure", "created_at": WHEN, "updated_at": WHEN,
            "run_started_at": WHEN, "pull_requests": [], "head_repository": {"full_name": repository.full_name},
        } | told  # fmt: skip
        return repository.runs[run_id]

    def add_job(self, repository: Repository, run_id: int, name: str, attempt: int = 1, **told: Any) -> None:
        repository.jobs.setdefault((run_id, attempt), []).append({
            "id": self.next_id(), "run_id": run_id, "name": name, "labels": ["ubuntu-latest"], "status": "completed",
            "conclusion": "success", "started_at": WHEN, "completed_at": WHEN,
        } | told)  # fmt: skip

    def add_artifact(self, repository: Repository, run_id: int, name: str, content: bytes, **told: Any) -> int:
        number = self.next_id()
        repository.artifacts[number] = {
            "id": number, "name": name, "size_in_bytes": len(content), "expired": False, "created_at": WHEN,
            "workflow_run": {"id": run_id},
        } | told  # fmt: skip
        repository.zips[number] = content
        return number

    def add_comment(self, repository: Repository, issue: int, body: str, app: int | None = APP_ID) -> dict[str, Any]:
        number = self.next_id()
        by = None if app is None else {"id": app}
        made = repository.comments[number] = {
            "id": number, "issue": issue, "body": body, "performed_via_github_app": by,
        }  # fmt: skip
        return made

    def add_issue(self, repository: Repository, body: str, app: int | None = APP_ID, **told: Any) -> dict[str, Any]:
        number = self.next_id()
        by = None if app is None else {"id": app}
        repository.issues[number] = {
            "number": number, "title": "Flaky", "body": body, "labels": [], "state": "open",
            "performed_via_github_app": by,
        } | told  # fmt: skip
        return repository.issues[number]

    def add_pull(self, repository: Repository, number: int, sha: str, state: str = "open") -> None:
        repository.pulls.append({"number": number, "state": state, "head": {"sha": sha}})

    def add_delivery(self, guid: str, event: str = "workflow_run", status_code: int = 502, **told: Any) -> int:
        """An attempt to hand a delivery over; later ones are newer.

        `hand_over` is called with it when it is asked for again, and says what we answered.
        """
        number = self.next_id()
        self.deliveries.append({
            "id": number, "guid": guid, "delivered_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "redelivery": False, "duration": 0.27, "status": "OK" if status_code < 400 else "failed to connect",
            "status_code": status_code, "event": event, "action": "completed", "installation_id": 4711,
            "repository_id": 815, "throttled_at": None,
        } | told)  # fmt: skip
        return number

    def limit(self, installation: int, remaining: int, *, limit: int = 5000, seconds: int = 1800) -> None:
        """From now on the installation has so many calls left, until then."""
        self.budgets[installation] = Budget(remaining, limit, int(time.time()) + seconds)

    def asked_for(self, pattern: str) -> list[Asked]:
        """Requests whose `METHOD path` the pattern is found in."""
        return [one for one in self.asked if re.search(pattern, f"{one.method} {one.path}")]

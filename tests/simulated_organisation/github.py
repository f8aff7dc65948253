"""The organisation at GitHub: a fake in a thread of its own, whose runs happen as the history tells."""

import asyncio
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from typing import Any

import httpx

from ..github import webhooks
from ..github.fake import FakeGitHub, Repository, fake_github
from .history import Attempt, artifact_of

INSTALLATION, SECRET = 4711, "what GitHub and we share"
_LABELS = {"test-windows": ["windows-latest"]}


class Organisation:
    """Repositories at the fake, and what happens in them."""

    def __init__(self, fake: FakeGitHub, names: list[str]) -> None:
        self.fake = fake
        self.repositories: dict[str, Repository] = {
            name: fake.add_repository(name, 1000 + number, INSTALLATION) for number, name in enumerate(names)
        }
        self._guids = count(1)

    def happen(self, attempt: Attempt) -> None:
        """The attempt ended: what GitHub answers from now on."""
        repository = self.repositories[attempt.repository]
        pulls = [{"number": attempt.pr_number}] if attempt.pr_number else []
        self.fake.add_run(
            repository, attempt.run_id, run_attempt=attempt.number, run_number=attempt.run_number,
            name=attempt.workflow, head_sha=attempt.sha, head_branch=attempt.branch, event=attempt.event,
            conclusion="failure" if attempt.failed else "success", created_at=_time(attempt.first_started_at),
            run_started_at=_time(attempt.started_at), updated_at=_time(attempt.completed_at), pull_requests=pulls,
        )  # fmt: skip
        if attempt.pr_number:
            others = [pull for pull in repository.pulls if pull["number"] != attempt.pr_number]
            head = {"number": attempt.pr_number, "state": "open", "head": {"sha": attempt.sha}}
            repository.pulls = [*others, head]
        for job in attempt.jobs:
            name = job.meta["job_name"] + (f" ({job.meta['job_variant']})" if job.meta["job_variant"] else "")
            ended = job.started_at + job.duration
            self.fake.add_job(
                repository, attempt.run_id, name, attempt.number, started_at=_time(job.started_at),
                completed_at=_time(ended), labels=_LABELS.get(job.meta["job_name"], ["ubuntu-latest"]),
            )  # fmt: skip
            artifact, packed = artifact_of(job)
            self.fake.add_artifact(repository, attempt.run_id, artifact, packed, created_at=_time(ended))

    def tell(self, client: httpx.Client, attempt: Attempt) -> int:
        """Deliver the end of the attempt, as often as the history says; how many deliveries were taken."""
        repository = self.repositories[attempt.repository]
        payload = webhooks.workflow_run(self.fake, repository, attempt.run_id)
        guid = f"delivery-{next(self._guids)}"
        return sum(self.deliver(client, "workflow_run", payload, guid) for _ in range(attempt.told))

    def install(self, client: httpx.Client) -> None:
        """Deliver that the App is installed."""
        self.deliver(client, "installation", webhooks.installation(self.fake, INSTALLATION), "installed")

    def deliver(self, client: httpx.Client, event: str, payload: dict[str, Any], guid: str) -> bool:
        """As GitHub delivers; it insists on 202."""
        body, headers = signed_delivery(event, payload, guid)
        answer = client.post("/github/webhook", content=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return True


def signed_delivery(event: str, payload: dict[str, Any], guid: str) -> tuple[bytes, dict[str, str]]:
    """A delivery as GitHub sends it: body and headers."""
    body = json.dumps(payload).encode()
    return body, {
        "X-GitHub-Event": event, "X-GitHub-Delivery": guid, "Content-Type": "application/json",
        "X-Hub-Signature-256": "sha256=" + hmac.digest(SECRET.encode(), body, hashlib.sha256).hex(),
    }  # fmt: skip


@contextmanager
def github_in_a_thread() -> Iterator[FakeGitHub]:
    """A fake that answers while we do something else."""
    ready, ended = threading.Event(), asyncio.Event()
    made: list[FakeGitHub] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        with suppress(AssertionError):  # of violations, which are told below
            async with fake_github() as fake:
                made.append(fake)
                ready.set()
                await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield made[0]
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()
    assert not made[0].violations, "not as GitHub describes it:\n" + "\n".join(made[0].violations)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

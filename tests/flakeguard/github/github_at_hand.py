"""What GitHub would answer about one repository, at hand; it can fail, and dies when told to."""

import io
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import BinaryIO

from flakeguard.github.facts import Artifact, Job, RunPage, WorkflowRun

STARTED = datetime(2026, 11, 25, 10, tzinfo=UTC)


def zipped(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def a_run(number: int = 1000, **facts: object) -> WorkflowRun:
    told = {
        "id": number, "attempt": 1, "head_sha": "a" * 40, "branch": "topic", "event": "push", "pr_numbers": (),
        "workflow_name": "CI", "run_number": 7, "html_url": f"https://github.com/acme/shop/actions/runs/{number}",
        "status": "completed", "conclusion": "failure", "created_at": STARTED, "run_started_at": STARTED,
        "updated_at": STARTED + timedelta(minutes=9),
    }  # fmt: skip
    return WorkflowRun(**told | facts)  # type: ignore[arg-type]


@dataclass
class AtHand:
    """A `Source`. `fails` is raised by the named method instead of an answer, once for each error in it."""

    run_told: WorkflowRun = field(default_factory=a_run)
    artifacts_told: dict[str, bytes] = field(default_factory=dict)
    made_at: dict[str, datetime] = field(default_factory=dict)
    jobs_told: Sequence[Job] = (Job("unit", ("ubuntu-latest",), STARTED, STARTED + timedelta(minutes=5)),)
    attempts_began: dict[int, datetime] = field(default_factory=dict)
    listed: Sequence[WorkflowRun] = ()
    etag: str = '"one"'
    whole: bool = True
    fails: dict[str, list[BaseException]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def _ask(self, method: str, owner: str, repo: str) -> None:
        self.asked.append(method)
        self.names.add(f"{owner}/{repo}")
        if self.fails.get(method):
            raise self.fails[method].pop(0)

    async def run(self, owner: str, repo: str, run_id: int) -> WorkflowRun:
        self._ask("run", owner, repo)
        return self.run_told

    async def attempt_started_at(self, owner: str, repo: str, run_id: int, attempt: int) -> datetime | None:
        self._ask(f"start of {attempt}", owner, repo)
        return self.attempts_began.get(attempt)

    async def artifacts(self, owner: str, repo: str, run_id: int) -> Sequence[Artifact]:
        self._ask("artifacts", owner, repo)
        return [
            Artifact(number, name, len(content), expired=False, created_at=self.made_at.get(name, STARTED))
            for number, (name, content) in enumerate(self.artifacts_told.items())
        ]

    async def download_artifact(self, owner: str, repo: str, artifact_id: int, into: BinaryIO, most_bytes: int) -> bool:
        self._ask("download", owner, repo)
        into.write(list(self.artifacts_told.values())[artifact_id])
        return self.whole

    async def jobs(self, owner: str, repo: str, run_id: int, attempt: int) -> Sequence[Job]:
        self._ask("jobs", owner, repo)
        return self.jobs_told

    async def runs(self, owner: str, repo: str, created_since: datetime, etag: str | None) -> AsyncIterator[RunPage]:
        self._ask(f"runs since {created_since:%H:%M}", owner, repo)
        if self.fails.get("runs"):
            raise self.fails["runs"].pop(0)
        if etag == self.etag:
            yield RunPage((), etag, not_modified=True)
            return
        found = [run for run in self.listed if run.created_at >= created_since]
        yield RunPage(found[:2], self.etag)
        if found[2:]:
            yield RunPage(found[2:])

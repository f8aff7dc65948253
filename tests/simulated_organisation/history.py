"""What an organisation's workflows did, from the demonstration's histories; and by which way we are told of each. Pure.

Each repository has a history of its own (`flakeguard.demo`), of which the newest pushes are taken, with every job's
reports as an artifact. Which runs no webhook tells of, and of which two do, is drawn from the seed.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from random import Random

from flakeguard.demo.history import generate
from flakeguard.demo.model import DemoRun
from flakeguard.reports.junit import parse_junit

POLLED_DAYS = 6
"""Polling looks a week back when it first looks."""
_NEVER, _TWICE = 0.3, 0.25


@dataclass(frozen=True)
class Attempt:
    """One attempt of a workflow run, and how often a webhook tells of its end."""

    repository: str
    run_id: int
    number: int
    sha: str
    branch: str
    event: str
    pr_number: int | None
    workflow: str
    run_number: int
    first_started_at: datetime
    started_at: datetime
    completed_at: datetime
    jobs: tuple[DemoRun, ...]
    told: int

    @property
    def results(self) -> int:
        """How many results of tests its reports hold, each retry for itself."""
        return sum(
            sum(1 for _ in parse_junit(io.BytesIO(report.content))) for job in self.jobs for report in job.reports
        )

    @property
    def failed(self) -> bool:
        """Whether a test failed in it."""
        return any(re.search(rb"<(?:failure|error)\b", report.content) for job in self.jobs for report in job.reports)


def attempts_of(repository: str, number: int, now: datetime, pushes: int) -> list[Attempt]:
    """The attempts of the newest `pushes` pushes of the `number`th repository, in the order in which they end."""
    random = Random(number)
    runs = generate(now, seed=2024 + number).runs
    found = [_attempt(repository, number, list(jobs)) for _, jobs in groupby(sorted(runs, key=_key), key=_key)]
    newest = sorted({one.run_id for one in found})[-pushes:]
    kept = [_told(one, random, now) for one in found if one.run_id in newest]
    return sorted(kept, key=lambda one: one.completed_at)


def artifact_of(job: DemoRun) -> tuple[str, bytes]:
    """The artifact that a job leaves: its name, and the ZIP."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for report in job.reports:
            archive.writestr(f"reports/{report.filename}", report.content)
        archive.writestr("reports/screenshot.png", b"\x89PNG")
    return "-".join(filter(None, ("test-results", job.meta["job_name"], job.meta["job_variant"]))), packed.getvalue()


def _key(run: DemoRun) -> tuple[int, int]:
    return run.meta["github_run_id"], run.meta["github_run_attempt"]


def _attempt(repository: str, number: int, jobs: Sequence[DemoRun]) -> Attempt:
    meta, started_at = jobs[0].meta, min(job.started_at for job in jobs)
    later = timedelta(minutes=25) if meta["github_run_attempt"] > 1 else timedelta()
    return Attempt(
        repository=repository, run_id=meta["github_run_id"] + number * 10**8, number=meta["github_run_attempt"],
        sha=meta["sha"], branch=meta["branch"], event=meta["event"], pr_number=meta.get("pr_number"),
        workflow=meta["workflow_name"], run_number=meta["github_run_number"], first_started_at=started_at - later,
        started_at=started_at, completed_at=max(job.started_at + job.duration for job in jobs), jobs=tuple(jobs),
        told=1,
    )  # fmt: skip


def _told(one: Attempt, random: Random, now: datetime) -> Attempt:
    may_be_polled = one.first_started_at > now - timedelta(days=POLLED_DAYS)
    draw = random.random()
    told = 0 if may_be_polled and draw < _NEVER else 2 if draw > 1 - _TWICE else 1
    return Attempt(**{**vars(one), "told": told})

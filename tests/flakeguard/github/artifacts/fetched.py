"""A run of one repository at GitHub, fetched as the worker does it."""

from datetime import datetime, timedelta
from typing import Any

from tests.github.fake import WHEN

from flakeguard.analysis.analyzing import analyze_ingestion
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.github.api import GitHub
from flakeguard.github.artifacts.choosing import ArtifactRules
from flakeguard.github.artifacts.fetching import Limits, process_run
from flakeguard.github.publishing.owing import owe_publication
from flakeguard.ingestion.processing import process_upload
from flakeguard.worker.jobs import RunsIngestJobData
from fluxbase.resources import Resources

from ...uploads import FAIL, PASS, report, zipped
from ..conftest import INSTALLATION, REPOSITORY

STARTED = datetime.fromisoformat(WHEN)
JOB = f"run-{INSTALLATION}-{REPOSITORY}-1000-1"
JUNIT = zipped(
    {"a/TEST-cart.xml": report({"adds": FAIL, "pays": PASS}), "trace.bin": b"\0" * 9, "pom.xml": b"<project/>"}
)


def wanted(attempt: int = 1, repo: str = "shop", installation: int = INSTALLATION, **more: object) -> RunsIngestJobData:
    return RunsIngestJobData.of("process-run", {
        "workflowRunId": 1000, "runAttempt": attempt, "priority": "normal", "correlationId": "hook",
        "repository": {"owner": "acme", "repo": repo, "installationId": installation, **more},
    })  # fmt: skip


def at(**later: int) -> str:
    """GitHub's time, so long after the run began."""
    return f"{STARTED + timedelta(**later):%Y-%m-%dT%H:%M:%SZ}"


async def fetch(resources: Resources, github: GitHub, data: RunsIngestJobData | None = None) -> dict[str, Any]:
    return dict(await process_run(
        resources.database, github.installation, data or wanted(), job_id=JOB, limits=Limits(ArtifactRules())
    ))  # fmt: skip


async def rows(resources: Resources, query: str) -> list[tuple]:
    async with resources.database.transaction() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def carry_out(resources: Resources) -> None:
    """What the worker would do with the uploads that are owed."""
    for (ingestion,) in await rows(resources, "SELECT id FROM ingestions WHERE state <> 'analyzed'"):
        await process_upload(resources.database, ingestion, job_id=f"upload-{ingestion}", now=resources.now)
        await analyze_ingestion(
            resources.database, ingestion, job_id=f"analyze-{ingestion}", config=AnalysisConfig(), now=resources.now,
            owe_next=(owe_publication,),
        )  # fmt: skip

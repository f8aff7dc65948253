"""The jobs that read from GitHub: fetch a run's results, look for repositories to poll, poll one."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from flakeguard.github.api import GitHub
from flakeguard.github.artifacts.choosing import DEFAULT_FILES, DEFAULT_NAMES, ArtifactRules
from flakeguard.github.artifacts.fetching import Limits, mark_failed, process_run
from flakeguard.github.polling.polling import Pace, discover, poll_repository
from flakeguard.reports.archives import ArchiveLimits
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.errors import InvalidJobError, NoAppError
from flakeguard.worker.jobs import PollRepositoryJobData, RunsIngestJobData
from fluxbase.db import Connection
from fluxbase.resources import Resources


@dataclass(frozen=True, slots=True)
class Fetching:
    """What reading from GitHub goes by; `github` is None where this worker has no App's key."""

    limits: Limits
    pace: Pace
    github: GitHub | None = None

    @classmethod
    def by(cls, settings: FlakeGuardSettings, archives: ArchiveLimits, github: GitHub | None = None) -> Self:
        """As the settings say."""
        rules = ArtifactRules(
            names=settings.artifact_names or DEFAULT_NAMES,
            files=settings.artifact_files or DEFAULT_FILES,
            most_bytes=settings.max_artifact_bytes,
            most_artifacts=settings.max_artifacts,
        )
        pace = Pace(timedelta(minutes=settings.polling_interval_minutes), settings.polling_batch_size)
        return cls(Limits(rules, archives), pace, github)

    def app(self) -> GitHub:
        """GitHub.

        Raises:
            NoAppError: This worker cannot ask it.
        """
        if self.github is None:
            raise NoAppError
        return self.github


async def fetch_run(
    resources: Resources, fetching: Fetching, name: str, data: Mapping[str, Any], *, job_id: str
) -> Mapping[str, Any]:
    """`process-run`."""
    wanted = RunsIngestJobData.of(name, data)
    github = fetching.app()
    return await process_run(resources.database, github.installation, wanted, job_id=job_id, limits=fetching.limits)


async def give_run_up(connection: Connection, name: str, data: Mapping[str, Any]) -> None:
    """A `process-run` became a dead letter: the run is `failed`, where the data name one."""
    try:
        wanted = RunsIngestJobData.of(name, data)
    except InvalidJobError:
        return
    await mark_failed(connection, wanted)


async def find_due(resources: Resources, fetching: Fetching, *, job_id: str) -> Mapping[str, Any]:
    """`discover`."""
    fetching.app()
    found = await discover(resources.database, job_id=job_id, pace=fetching.pace, now=resources.now())
    return {"repositories": found}


async def look(
    resources: Resources, fetching: Fetching, name: str, data: Mapping[str, Any], *, job_id: str
) -> Mapping[str, Any]:
    """`poll-repository`."""
    wanted = PollRepositoryJobData.of(name, data)
    return await poll_repository(
        resources.database, fetching.app().installation_for_what_can_wait, wanted,
        job_id=job_id, pace=fetching.pace, now=resources.now, random=random.random,
    )  # fmt: skip

"""What is done for a repository whose results a project gets."""

from dataclasses import dataclass
from datetime import datetime
from typing import Self, assert_never

from flakeguard.github.installations.repository import KnownRepository
from flakeguard.github.webhooks import owing, repository
from flakeguard.github.webhooks.notices import (
    ActionRequested,
    AnalysisWanted,
    PullTold,
    RunTold,
)
from flakeguard.github.webhooks.priorities import priority_of, ran_nothing, waits_for_approval
from flakeguard.github.webhooks.repository import Outcome
from flakeguard.settings import FlakeGuardSettings
from fluxbase.db import Connection

DONE = Outcome("done")


@dataclass(frozen=True, slots=True)
class App:
    """Which App we are: deliveries of another's check runs are not ours to act on."""

    app_id: int | None
    api_url: str

    @classmethod
    def of(cls, settings: FlakeGuardSettings) -> Self:
        """The one that the settings name."""
        return cls(settings.github_app_id, settings.github_api_url)


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a delivery is applied.

    Attributes:
        guid: The delivery's id, which is also the correlation id of everything that follows.
        now: The clock.
        late: It was kept for a while: what it tells of repositories may be outdated, and changes nothing of them.
        again: A person wants it done once more, even if it succeeded.
    """

    guid: str
    now: datetime
    late: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """A delivery of a bound installation, about a repository that has a project."""

    connection: Connection
    app: App
    occasion: Occasion
    repository: KnownRepository


type Told = RunTold | PullTold | ActionRequested | AnalysisWanted


def ignored(why: str) -> Outcome:
    """Nothing is done, and this is why."""
    return Outcome("ignored", error=why)


async def work(job: Work, notice: Told) -> Outcome:
    """Keep what is told and owe what follows from it."""
    match notice:
        case RunTold():
            return await _run(job, notice)
        case PullTold():
            await repository.put_pull(job.connection, job.repository.id, notice)
            return DONE
        case ActionRequested():
            return await _action(job, notice)
        case AnalysisWanted():
            return await _analysis(job, notice)
        case _:
            assert_never(notice)


async def _run(job: Work, notice: RunTold) -> Outcome:
    run = notice.run
    state = await repository.note_run(job.connection, job.repository.id, run)
    if not run.completed or waits_for_approval(run):
        return DONE
    if state in ("stored", "empty") and not job.occasion.again:
        return DONE
    if ran_nothing(run):
        await repository.set_run_state(job.connection, job.repository.id, run, "empty")
        return DONE
    priority = priority_of(run, job.repository.default_branch)
    job_id = await owing.owe_run(job.connection, job.repository, run, priority=priority, cause=job.occasion.guid)
    await repository.set_run_state(job.connection, job.repository.id, run, "owed")
    return Outcome("received", job_id)


def _is_anothers(app: App, app_id: int | None) -> bool:
    return app.app_id is not None and app_id is not None and app.app_id != app_id


async def _action(job: Work, notice: ActionRequested) -> Outcome:
    if _is_anothers(job.app, notice.app_id):
        return ignored("the check run is another App's")
    job_id = await owing.owe_action(job.connection, job.repository, notice, cause=job.occasion.guid)
    return Outcome("received", job_id)


async def _analysis(job: Work, notice: AnalysisWanted) -> Outcome:
    if _is_anothers(job.app, notice.app_id):
        return ignored("the checks are another App's")
    runs = await repository.runs_of_commit(job.connection, job.repository.id, notice.head_sha)
    cause, again = job.occasion.guid, job.occasion.again
    jobs = [await owing.owe_analysis(job.connection, job.repository, run, cause=cause, again=again) for run in runs]
    if not jobs and await repository.has_check_run(job.connection, job.repository.id, notice.head_sha):
        jobs = [await owing.owe_answer(job.connection, job.repository, notice.head_sha, cause=cause, again=again)]
    return Outcome("received", jobs[-1]) if jobs else ignored("nothing of this commit is known")

"""The job `analyze-run`: judge again if asked to, then bring GitHub up to date."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import Field

from flakeguard.analysis.analyzing import Tell
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.github.publishing.poster import Poster
from flakeguard.github.publishing.publishing import Manner, publish
from flakeguard.github.publishing.rejudging import rejudge
from flakeguard.github.publishing.repository import SQL, Target
from flakeguard.worker.jobs import AnalysisConfigData, JobData, Repository
from flakeguard.worker.outbox import settle
from fluxbase.db import Database


@dataclass(frozen=True, slots=True)
class Publishing:
    """GitHub at hand: how it is reached, and how things are said there."""

    poster_for: Callable[[Target], Poster]
    manner: Manner


class AnalyzeRunData(JobData):
    """`RunsAnalyzeJobData`, and ours beside it: the commit, and no run where an upload's CI is not GitHub's."""

    workflow_run_id: int = Field(0, ge=0)
    repository: Repository
    force_recompute: bool = False
    analysis_config: AnalysisConfigData | None = None
    head_sha: str | None = None


async def analyze_run(
    database: Database,
    publishing: Publishing,
    name: str,
    data: Mapping[str, Any],
    *,
    job_id: str,
    afresh: bool,
    config: AnalysisConfig,
    now: Callable[[], datetime],
    tell: Tell = lambda _judged: None,
) -> Mapping[str, Any]:
    """What Bull Board shows of it. `afresh` says that the job was begun before; `tell` hears of what was judged.

    What is judged again is also said again, changed or not: GitHub takes back the conclusion of checks that somebody
    asks for anew, and waits.

    Raises:
        InvalidJobError: The data are not the document's.
        flakeguard.github.errors: GitHub is away, limits us, or refuses.
    """
    wanted = AnalyzeRunData.of(name, data)
    config = configured(config, wanted.analysis_config)
    commit = await _commit(database, wanted)
    if commit is None:
        async with database.transaction() as connection:
            await settle(connection, job_id)
        return {"published": False, "reason": "no such run is known"}
    repository_id, sha = commit
    judged = None
    if wanted.force_recompute and wanted.workflow_run_id:
        judged = await rejudge(database, repository_id, wanted.workflow_run_id, config=config, now=now(), tell=tell)
    said = await publish(
        database, publishing.poster_for, repository_id, sha,
        job_id=job_id, afresh=afresh or wanted.force_recompute, manner=publishing.manner, config=config, now=now,
    )  # fmt: skip
    return {
        "testsAnalyzed": judged,
        "conclusion": said.conclusion,
        "checkRunSent": said.check_run_sent,
        "commentsSent": said.comments_sent,
    }


def configured(config: AnalysisConfig, wanted: AnalysisConfigData | None) -> AnalysisConfig:
    """The configuration with what the job wants otherwise."""
    if wanted is None:
        return config
    if wanted.lookback_days is not None:
        config = replace(config, lookback_days=wanted.lookback_days)
    if wanted.min_runs_threshold is not None:
        config = replace(config, min_runs=wanted.min_runs_threshold)
    return config


async def _commit(database: Database, wanted: AnalyzeRunData) -> tuple[int, str] | None:
    """Repository and commit: as told, else of the run that GitHub told of."""
    repository = wanted.repository
    if repository.repository_id is not None and wanted.head_sha is not None:
        return repository.repository_id, wanted.head_sha
    async with database.transaction() as connection:
        row = await connection.fetchrow(
            SQL["commit_of_workflow_run"], wanted.workflow_run_id, repository.installation_id, repository.full_name,
            repository.repository_id,
        )  # fmt: skip
    return None if row is None else (row["repository_id"], row["head_sha"])

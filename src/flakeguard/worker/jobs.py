"""What jobs carry, by the worker document's interfaces: camelCase in Redis, so that Node and Python read the same.

Unknown keys are ignored (a newer version may write more), and every job may carry a `correlationId`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from flakeguard.worker.errors import InvalidJobError

PROCESS_RUN: Final = "process-run"
PROCESS_UPLOAD: Final = "process-upload"
ANALYZE_UPLOAD: Final = "analyze-upload"
ANALYZE_RUN: Final = "analyze-run"
RECOMPUTE_PROJECT: Final = "recompute-project"
RECOMPUTE: Final = "recompute"
RECOMPUTE_BATCH: Final = "recompute-batch"
POLL_REPOSITORY: Final = "poll-repository"
DISCOVER: Final = "discover"

type Priority = Literal["low", "normal", "high", "critical"]
type Id = Annotated[int, Field(gt=0, lt=2**63)]
"""As PostgreSQL keeps it, and GitHub."""


class _Data(BaseModel):
    # Strict: a number is not text and text is no number. What comes from Redis is JSON, as TypeScript means it.
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="ignore", frozen=True, strict=True)


class JobData(_Data):
    """Base of every job's data."""

    correlation_id: str | None = None

    @classmethod
    def of(cls, name: str, data: Mapping[str, Any]) -> Self:
        """The data of the job `name`.

        Raises:
            InvalidJobError: It is not what the job's name promises; says what is missing.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            told = "; ".join(f"data.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
            raise InvalidJobError(f"{name}: {told}") from error

    def to_json(self) -> dict[str, Any]:
        """As it is put on a queue: camelCase, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Repository(_Data):
    """A repository of a GitHub installation."""

    owner: str = Field(min_length=1)
    repo: str = Field(min_length=1)
    installation_id: Id
    repository_id: Id | None = None
    """Ours: GitHub's id, which outlives a renaming while the job waits. Others may tell the name alone."""

    @property
    def full_name(self) -> str:
        """`owner/repo`, as it was when the job was made."""
        return f"{self.owner}/{self.repo}"


class RunMetadata(_Data):
    """What a webhook told of a workflow run."""

    run_status: str
    conclusion: str
    head_sha: str
    head_branch: str


class RunsIngestJobData(JobData):
    """`runs:ingest`, `process-run`: fetch the artifacts of a workflow run."""

    workflow_run_id: Id
    repository: Repository
    priority: Priority = "normal"
    metadata: RunMetadata | None = None
    run_attempt: Annotated[int, Field(gt=0, lt=2**31)] | None = None
    """Ours: the attempt of a rerun; None is the latest."""


class UploadJobData(JobData):
    """`runs:ingest`, `process-upload`, and `runs:analyze`, `analyze-upload`: an accepted ingestion."""

    ingestion_id: UUID = Field(strict=False)


class AnalysisConfigData(_Data):
    """What an analysis may be told to do differently."""

    lookback_days: int | None = Field(None, gt=0, le=36_500)
    min_runs_threshold: int | None = Field(None, gt=0)


class RunsAnalyzeJobData(JobData):
    """`runs:analyze`, `analyze-run`: judge a workflow run's tests and publish what is known."""

    workflow_run_id: Id
    repository: Repository
    force_recompute: bool = False
    analysis_config: AnalysisConfigData | None = None
    run_attempt: Annotated[int, Field(gt=0, lt=2**31)] | None = None
    """Ours: the attempt of a rerun; None is the latest."""


class RecomputeProjectJobData(JobData):
    """`runs:analyze`, `recompute-project`: rebuild all that is known of a project."""

    project_id: Id


class RepositoryName(_Data):
    """A repository, wherever it is hosted."""

    owner: str = Field(min_length=1)
    repo: str = Field(min_length=1)


class RecomputeScope(_Data):
    """Which tests: all, those whose name or class matches a pattern, or those named."""

    type: Literal["all", "test_pattern", "class_pattern", "specific_tests"]
    patterns: tuple[str, ...] = Field((), strict=False)
    lookback_days: int | None = Field(None, gt=0)


class RecomputeOptions(_Data):
    """How a recompute goes about it."""

    batch_size: int | None = Field(None, gt=0)
    update_quarantine_status: bool = False


class TestsRecomputeJobData(JobData):
    """`tests:recompute`, `recompute`: rebuild scores and verdicts from history."""

    __test__ = False  # its name begins as pytest's classes do

    repository: RepositoryName
    recompute_scope: RecomputeScope
    options: RecomputeOptions | None = None


class PollRepositoryJobData(JobData):
    """`polling`, `poll-repository`: look for new runs of a repository that an installation gave us."""

    repository_id: Id

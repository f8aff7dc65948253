"""Settings of background jobs."""

from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from fluxbase.durations import Duration
from fluxbase.settings.kit import names, split


class JobsSettings(BaseSettings):
    """How many jobs a worker runs at once, where a user's functions are registered, and how workers keep time."""

    jobs_max_concurrent_per_worker: int = Field(
        5, ge=1, validation_alias=names("FLUXBASE_JOBS_MAX_CONCURRENT_PER_WORKER")
    )
    jobs_modules: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias=names("FLUXBASE_JOBS_MODULES"))
    jobs_in_process: bool = Field(default=True, validation_alias=names("FLUXBASE_JOBS_IN_PROCESS"))
    jobs_heartbeat_interval: Duration = Field(
        timedelta(seconds=5), gt=timedelta(0), validation_alias=names("FLUXBASE_JOBS_HEARTBEAT_INTERVAL")
    )
    jobs_dead_after: Duration = Field(timedelta(seconds=30), validation_alias=names("FLUXBASE_JOBS_DEAD_AFTER"))
    jobs_drain_timeout: Duration = Field(
        timedelta(seconds=20), ge=timedelta(0), validation_alias=names("FLUXBASE_JOBS_DRAIN_TIMEOUT")
    )
    jobs_retention: Duration = Field(
        timedelta(days=7), gt=timedelta(0), validation_alias=names("FLUXBASE_JOBS_RETENTION")
    )
    jobs_payload_limit_bytes: int = Field(64 * 1024, ge=1, validation_alias=names("FLUXBASE_JOBS_PAYLOAD_LIMIT"))
    jobs_max_pending_per_user: int = Field(1_000, ge=1, validation_alias=names("FLUXBASE_JOBS_MAX_PENDING_PER_USER"))

    @field_validator("jobs_modules", mode="before")
    @classmethod
    def _split_jobs_modules(cls, value: Any) -> Any:
        return split(value)

    @model_validator(mode="after")
    def _hearts_beat_often_enough(self) -> Self:
        if self.jobs_dead_after < 2 * self.jobs_heartbeat_interval:
            raise ValueError("FLUXBASE_JOBS_DEAD_AFTER must be at least twice FLUXBASE_JOBS_HEARTBEAT_INTERVAL")
        return self

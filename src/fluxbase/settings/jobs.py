"""Settings of background jobs."""

from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from fluxbase.settings.kit import names, split


class JobsSettings(BaseSettings):
    """How many jobs a worker runs at once, and where a user's functions are registered."""

    jobs_max_concurrent_per_worker: int = Field(
        5, ge=1, validation_alias=names("FLUXBASE_JOBS_MAX_CONCURRENT_PER_WORKER")
    )
    jobs_modules: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias=names("FLUXBASE_JOBS_MODULES"))

    @field_validator("jobs_modules", mode="before")
    @classmethod
    def _split_jobs_modules(cls, value: Any) -> Any:
        return split(value)

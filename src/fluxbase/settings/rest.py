"""Settings of the REST interface."""

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

from fluxbase.durations import Duration
from fluxbase.settings.kit import names, split


class RestSettings(BaseSettings):
    """What is exposed, and how much one request may ask for."""

    rest_exposed_schemas: Annotated[tuple[str, ...], NoDecode] = Field(
        ("public",), validation_alias=names("FLUXBASE_REST_EXPOSED_SCHEMAS")
    )
    rest_max_rows: int = Field(1000, ge=1, validation_alias=names("FLUXBASE_REST_MAX_ROWS"))
    rest_max_response_bytes: int = Field(
        16 * 1024**2, ge=1024, le=1024**3, validation_alias=names("FLUXBASE_REST_MAX_RESPONSE_BYTES")
    )
    rest_statement_timeout: Duration = Field(
        timedelta(seconds=30), validation_alias=names("FLUXBASE_REST_STATEMENT_TIMEOUT")
    )

    @field_validator("rest_exposed_schemas", mode="before")
    @classmethod
    def _split_rest_exposed_schemas(cls, value: Any) -> Any:
        return split(value)

"""Settings of the object store."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from fluxbase.settings.kit import names

MEBIBYTE = 1024 * 1024


class StorageProvider(StrEnum):
    """Where objects lie: a folder of this machine, or anything that speaks S3."""

    LOCAL = "local"
    S3 = "s3"


class StorageSettings(BaseSettings):
    """Where objects lie, and how large one may be."""

    storage_provider: StorageProvider = Field(
        StorageProvider.LOCAL, validation_alias=names("FLUXBASE_STORAGE_PROVIDER")
    )
    storage_local_path: Path | None = Field(None, validation_alias=names("FLUXBASE_STORAGE_LOCAL_PATH"))
    storage_s3_bucket: str | None = Field(None, validation_alias=names("FLUXBASE_STORAGE_S3_BUCKET"))
    storage_s3_region: str = Field("us-east-1", validation_alias=names("FLUXBASE_STORAGE_S3_REGION"))
    storage_s3_endpoint: str | None = Field(None, validation_alias=names("FLUXBASE_STORAGE_S3_ENDPOINT"))
    storage_s3_access_key: SecretStr | None = Field(None, validation_alias=names("FLUXBASE_STORAGE_S3_ACCESS_KEY"))
    storage_s3_secret_key: SecretStr | None = Field(None, validation_alias=names("FLUXBASE_STORAGE_S3_SECRET_KEY"))
    storage_max_file_size: int = Field(50 * MEBIBYTE, ge=1, validation_alias=names("FLUXBASE_STORAGE_MAX_FILE_SIZE"))

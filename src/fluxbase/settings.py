"""Settings of the backend, read once at the entry point from the environment (and `.env`) and passed down."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Environment(StrEnum):
    """Where this runs. `prod` refuses defaults that are only for a developer's machine."""

    DEV = "dev"
    PROD = "prod"


class SignupPolicy(StrEnum):
    """Who may make an account: anybody, those with an invite, or nobody."""

    OPEN = "open"
    INVITED = "invited"
    CLOSED = "closed"


class LogFormat(StrEnum):
    """JSON lines for machines, `<time> <LEVEL> <message>` for people."""

    JSON = "json"
    TEXT = "text"


def names(*variables: str) -> Any:
    """A field read from the first of `variables` that is set."""
    return AliasChoices(*variables)


class Settings(BaseSettings):
    """What every role needs. Applications subclass it with names of their own for the same fields."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        # With populate_by_name a variable that is called like a field would be read too: HOME as `home`, of all things.
        env_prefix="FLUXBASE_FIELD_",
        hide_input_in_errors=True,
    )

    environment: Environment = Field(Environment.DEV, validation_alias=names("FLUXBASE_ENV"))
    host: str = Field("127.0.0.1", validation_alias=names("FLUXBASE_SERVER_HOST", "HOST"))
    port: int = Field(8080, ge=0, le=65535, validation_alias=names("FLUXBASE_SERVER_PORT", "PORT"))
    public_url: str | None = Field(None, validation_alias=names("FLUXBASE_PUBLIC_URL"))
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias=names("FLUXBASE_TRUSTED_PROXIES")
    )

    database_url: SecretStr | None = Field(None, validation_alias=names("FLUXBASE_DATABASE_URL", "DATABASE_URL"))
    database_owner_url: SecretStr | None = Field(None, validation_alias=names("FLUXBASE_DATABASE_OWNER_URL"))
    database_max_connections: int = Field(10, ge=2, validation_alias=names("FLUXBASE_DATABASE_MAX_CONNECTIONS"))
    redis_url: SecretStr | None = Field(None, validation_alias=names("REDIS_URL"))
    home: Path | None = Field(None, validation_alias=names("FLAKEGUARD_HOME"))

    jwt_secret: SecretStr | None = Field(None, validation_alias=names("FLUXBASE_AUTH_JWT_SECRET"))
    session_days: int = Field(30, ge=1, validation_alias=names("FLUXBASE_AUTH_SESSION_DAYS"))
    password_min_length: int = Field(12, ge=8, validation_alias=names("FLUXBASE_AUTH_PASSWORD_MIN_LENGTH"))
    signup_policy: SignupPolicy = Field(SignupPolicy.OPEN, validation_alias=names("FLUXBASE_AUTH_SIGNUP_POLICY"))
    signin_attempts_per_minute: int = Field(10, ge=1, validation_alias=names("FLUXBASE_AUTH_SIGNIN_PER_MINUTE"))

    body_limit_bytes: int = Field(2 * 1024 * 1024, ge=1024, validation_alias=names("FLUXBASE_SERVER_BODY_LIMIT"))
    log_level: str = Field("info", validation_alias=names("FLUXBASE_LOG_LEVEL", "LOG_LEVEL"))
    log_format: LogFormat = Field(LogFormat.JSON, validation_alias=names("FLUXBASE_LOG_FORMAT"))

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = {"warning": "warn"}.get(value.lower(), value.lower())
        if level not in {"trace", "debug", "info", "warn", "error", "fatal"}:
            raise ValueError("is one of trace, debug, info, warn, error, fatal")
        return level

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _production_is_explicit(self) -> Self:
        if not self.is_production:
            return self
        missing = [
            name
            for name, value in (
                ("DATABASE_URL", self.database_url),
                ("REDIS_URL", self.redis_url),
                ("JWT_SECRET", self.jwt_secret),
                ("a public base URL (FG_PUBLIC_URL)", self.public_url),
            )
            if value is None
        ]
        if missing:
            raise ValueError(
                f"production needs {', '.join(missing)}; "
                "the embedded servers and generated secrets are for FG_ENV=dev only"
            )
        if self.jwt_secret is not None and len(self.jwt_secret.get_secret_value()) < 32:  # noqa: PLR2004 -- HS256's size
            raise ValueError("the JWT secret must be at least 32 characters in production")
        return self

    @property
    def is_production(self) -> bool:
        """Whether defaults for a developer's machine are refused."""
        return self.environment is Environment.PROD

"""Settings of the backend, read once at the entry point and passed down: environment, `.env`, `fluxbase.yaml`."""

from typing import Any, Self, override

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from fluxbase.settings.auth import AuthSettings, OAuthProvider, SignupPolicy
from fluxbase.settings.jobs import JobsSettings
from fluxbase.settings.kit import names
from fluxbase.settings.realtime import RealtimeSettings
from fluxbase.settings.rest import RestSettings
from fluxbase.settings.server import Environment, LogFormat, ServerSettings
from fluxbase.settings.storage import StorageProvider, StorageSettings
from fluxbase.settings.yaml_file import YamlSettings, fields_of

__all__ = ["Environment", "LogFormat", "OAuthProvider", "Settings", "SignupPolicy", "StorageProvider", "names"]


class Settings(ServerSettings, AuthSettings, RestSettings, RealtimeSettings, StorageSettings, JobsSettings):
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

    @override
    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, the environment, `.env`, and last the file."""
        given = (*sources, *named.values())
        return (*given, YamlSettings(settings_cls, fields_of(Settings)))

    @model_validator(mode="after")
    def _production_is_explicit(self) -> Self:
        if not self.is_production:
            return self
        missing = [name for name, value in self._needed_in_production() if value is None]
        if missing:
            raise ValueError(
                f"production needs {', '.join(missing)}; "
                "the embedded servers and generated secrets are for a developer's machine only"
            )
        if self.jwt_secret is not None and len(self.jwt_secret.get_secret_value()) < 32:  # noqa: PLR2004 -- HS256's size
            raise ValueError("the JWT secret must be at least 32 characters in production")
        return self

    def _needed_in_production(self) -> tuple[tuple[str, Any], ...]:
        return (
            ("DATABASE_URL", self.database_url),
            ("REDIS_URL", self.redis_url),
            ("JWT_SECRET", self.jwt_secret),
            ("a public base URL (FG_PUBLIC_URL)", self.public_url),
        )

    @property
    def is_production(self) -> bool:
        """Whether defaults for a developer's machine are refused."""
        return self.environment is Environment.PROD

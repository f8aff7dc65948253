"""Settings of the backend, read once at the entry point and passed down: environment, `.env`, `fluxbase.yaml`."""

from typing import Self, override

from pydantic import AliasChoices, model_validator
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

_NEEDED_IN_PRODUCTION = ("database_url", "redis_url", "jwt_secret", "public_url")


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
        self._complete()
        if not self.is_production:
            return self
        missing = [_variable_of(type(self), name) for name in _NEEDED_IN_PRODUCTION if getattr(self, name) is None]
        if missing:
            raise ValueError(
                f"production needs {', '.join(missing)}; "
                "the embedded servers and generated secrets are for a developer's machine only"
            )
        return self

    def _complete(self) -> None:
        """Fill what follows from other settings, before it is asked whether production has all it needs."""

    @property
    def is_production(self) -> bool:
        """Whether defaults for a developer's machine are refused."""
        return self.environment is Environment.PROD


def _variable_of(settings: type[Settings], field: str) -> str:
    """The first variable that `field` is read from: an application has a name of its own for some."""
    alias = settings.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else field

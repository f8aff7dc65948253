"""Settings of the server itself: where it listens, what it connects to, what it writes."""

from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from fluxbase.settings.kit import is_web_address, names, split

_LAST_PORT = 65535


class Environment(StrEnum):
    """Where this runs. `prod` refuses defaults that are only for a developer's machine."""

    DEV = "dev"
    PROD = "prod"


class LogFormat(StrEnum):
    """JSON lines for machines, `<time> <LEVEL> <message>` for people."""

    JSON = "json"
    TEXT = "text"


class ServerSettings(BaseSettings):
    """Addresses, servers, limits, logs."""

    environment: Environment = Field(Environment.DEV, validation_alias=names("FLUXBASE_ENV"))
    address: str | None = Field(None, validation_alias=names("FLUXBASE_SERVER_ADDRESS"))
    host: str = Field("127.0.0.1", validation_alias=names("FLUXBASE_SERVER_HOST", "HOST"))
    port: int = Field(8080, ge=0, le=_LAST_PORT, validation_alias=names("FLUXBASE_SERVER_PORT", "PORT"))
    processes: int = Field(1, ge=1, validation_alias=names("FLUXBASE_SERVER_PROCESSES"))
    public_url: str | None = Field(None, validation_alias=names("FLUXBASE_PUBLIC_URL"))
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias=names("FLUXBASE_TRUSTED_PROXIES")
    )
    monitoring_allow: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (), validation_alias=names("FLUXBASE_MONITORING_ALLOW")
    )
    body_limit_bytes: int = Field(2 * 1024 * 1024, ge=1024, validation_alias=names("FLUXBASE_SERVER_BODY_LIMIT"))
    requests_per_second: float = Field(
        100, gt=0, validation_alias=names("FLUXBASE_SERVER_RATE_LIMIT_REQUESTS_PER_SECOND")
    )
    request_burst: int = Field(200, ge=1, validation_alias=names("FLUXBASE_SERVER_RATE_LIMIT_BURST"))

    database_url: SecretStr | None = Field(None, validation_alias=names("FLUXBASE_DATABASE_URL", "DATABASE_URL"))
    database_owner_url: SecretStr | None = Field(None, validation_alias=names("FLUXBASE_DATABASE_OWNER_URL"))
    database_max_connections: int = Field(50, ge=2, validation_alias=names("FLUXBASE_DATABASE_MAX_CONNECTIONS"))
    redis_url: SecretStr | None = Field(None, validation_alias=names("FLUXBASE_REDIS_URL", "REDIS_URL"))
    home: Path | None = Field(None, validation_alias=names("FLAKEGUARD_HOME"))

    log_level: str = Field("info", validation_alias=names("FLUXBASE_LOG_LEVEL", "LOG_LEVEL"))
    log_format: LogFormat = Field(LogFormat.JSON, validation_alias=names("FLUXBASE_LOG_FORMAT"))
    log_folder: Path | None = Field(None, validation_alias=names("FLUXBASE_LOG_FOLDER"))
    pprof_enabled: bool = Field(default=False, validation_alias=names("FLUXBASE_DEBUG_PPROF"))

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        level = {"warning": "warn"}.get(value.lower(), value.lower())
        if level not in {"trace", "debug", "info", "warn", "error", "fatal"}:
            raise ValueError("is one of trace, debug, info, warn, error, fatal")
        return level

    @field_validator("trusted_proxies", "monitoring_allow", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return split(value)

    @field_validator("address")
    @classmethod
    def _has_a_port(cls, value: str | None) -> str | None:
        port = "0" if value is None else value.rpartition(":")[2]
        if not port.isdecimal() or int(port[:6]) > _LAST_PORT:
            raise ValueError("is host:port, or :port for every interface")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_whole(cls, value: str | None) -> str | None:
        if value is not None and not is_web_address(value):
            raise ValueError("is a whole address, such as https://flux.example.com")
        return value

    @property
    def listens_on(self) -> tuple[str, int]:
        """Host and port: those of `address` when it is set (`:8080` is every interface), else `host` and `port`."""
        if self.address is None:
            return self.host, self.port
        host, _, port = self.address.rpartition(":")
        return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 -- what :8080 says

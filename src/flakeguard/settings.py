"""FlakeGuard's settings: the backend's under the names of FlakeGuard's runbooks, and its own."""

import os
from typing import Any, Literal, Self, override

from pydantic import Field, SecretStr, field_validator, model_validator

from fluxbase.settings import Environment, LogFormat, Settings, SignupPolicy, names

MEBIBYTE = 1024 * 1024


class FlakeGuardSettings(Settings):
    """Read from the environment; see docs/configuration.md for each variable."""

    environment: Environment = Field(Environment.DEV, validation_alias=names("FG_ENV", "NODE_ENV"))
    port: int = Field(3000, ge=0, le=65535, validation_alias=names("PORT"))
    host: str = Field("127.0.0.1", validation_alias=names("HOST"))
    public_url: str | None = Field(None, validation_alias=names("FG_PUBLIC_URL"))
    database_url: SecretStr | None = Field(None, validation_alias=names("FG_DATABASE_DSN", "DATABASE_URL"))
    database_owner_url: SecretStr | None = Field(
        None, validation_alias=names("FG_DATABASE_OWNER_DSN", "DATABASE_OWNER_URL")
    )
    redis_url: SecretStr | None = Field(None, validation_alias=names("REDIS_URL"))
    redis_cluster_enabled: bool = Field(default=False, validation_alias=names("REDIS_CLUSTER_ENABLED"))
    redis_cluster_nodes: str | None = Field(None, validation_alias=names("REDIS_CLUSTER_NODES"))
    database_max_connections: int = Field(10, ge=2, validation_alias=names("FG_DATABASE_MAX_CONNECTIONS"))
    jwt_secret: SecretStr | None = Field(None, validation_alias=names("FG_JWT_SECRET", "JWT_SECRET"))
    session_days: int = Field(30, ge=1, validation_alias=names("FG_SESSION_DAYS"))
    password_min_length: int = Field(12, ge=8, validation_alias=names("FG_PASSWORD_MIN_LENGTH"))
    signup_policy: SignupPolicy = Field(SignupPolicy.OPEN, validation_alias=names("FG_SIGNUP_POLICY"))
    signin_attempts_per_minute: int = Field(10, ge=1, validation_alias=names("FG_SIGNIN_PER_MINUTE"))
    trusted_proxies: Any = Field((), validation_alias=names("FG_TRUSTED_PROXIES"))
    body_limit_bytes: int = Field(2 * MEBIBYTE, ge=1024, validation_alias=names("FG_MAX_BODY_BYTES"))
    log_level: str = Field("info", validation_alias=names("FG_LOG_LEVEL", "LOG_LEVEL"))
    log_format: LogFormat = Field(LogFormat.JSON, validation_alias=names("FG_LOG_FORMAT"))

    rate_limit_rpm: int = Field(120, ge=1, validation_alias=names("FG_RATE_LIMIT_RPM"))
    max_upload_bytes: int = Field(256 * MEBIBYTE, ge=1024, validation_alias=names("FG_MAX_UPLOAD_BYTES"))
    max_upload_files: int = Field(20, ge=1, validation_alias=names("FG_MAX_UPLOAD_FILES"))
    max_file_bytes: int = Field(128 * MEBIBYTE, ge=1024, validation_alias=names("FG_MAX_FILE_BYTES"))
    max_wait_seconds: int = Field(30, ge=0, validation_alias=names("FG_MAX_WAIT_SECONDS"))

    worker_concurrency: int = Field(5, ge=1, validation_alias=names("WORKER_CONCURRENCY"))
    high_priority_concurrency: int = Field(3, ge=0, validation_alias=names("HIGH_PRIORITY_CONCURRENCY"))
    worker_name: str = Field("flakeguard-worker", validation_alias=names("WORKER_NAME"))
    remove_on_complete: int = Field(100, ge=0, validation_alias=names("REMOVE_ON_COMPLETE"))
    remove_on_fail: int = Field(50, ge=0, validation_alias=names("REMOVE_ON_FAIL"))
    worker_processes: int = Field(1, ge=1, le=64, validation_alias=names("WORKER_PROCESSES"))
    worker_shutdown_seconds: int = Field(25, ge=1, validation_alias=names("WORKER_SHUTDOWN_SECONDS"))
    health_check_port: int = Field(8080, ge=0, le=65535, validation_alias=names("HEALTH_CHECK_PORT"))
    metrics_enabled: bool = Field(default=True, validation_alias=names("METRICS_ENABLED"))
    metrics_port: int = Field(9090, ge=0, le=65535, validation_alias=names("METRICS_PORT"))
    api_key: SecretStr | None = Field(None, min_length=16, validation_alias=names("API_KEY"))

    github_app_id: int | None = Field(None, ge=1, validation_alias=names("GITHUB_APP_ID"))
    github_api_url: str = Field("https://api.github.com", validation_alias=names("GITHUB_API_URL"))
    github_webhook_secret: SecretStr | None = Field(None, validation_alias=names("GITHUB_WEBHOOK_SECRET"))
    github_client_id: str | None = Field(None, validation_alias=names("GITHUB_CLIENT_ID"))
    github_client_secret: SecretStr | None = Field(None, validation_alias=names("GITHUB_CLIENT_SECRET"))
    github_private_key: SecretStr | None = Field(None, validation_alias=names("GITHUB_PRIVATE_KEY"))
    github_app_slug: str | None = Field(None, validation_alias=names("GITHUB_APP_SLUG"))
    github_comments: Literal["failures", "always", "never"] = Field(
        "failures", validation_alias=names("GITHUB_COMMENTS")
    )

    artifact_names: Any = Field((), validation_alias=names("FG_ARTIFACT_NAMES"))
    artifact_files: Any = Field((), validation_alias=names("FG_ARTIFACT_FILES"))
    max_artifact_bytes: int = Field(512 * MEBIBYTE, ge=1024, validation_alias=names("FG_MAX_ARTIFACT_BYTES"))
    max_artifacts: int = Field(200, ge=1, validation_alias=names("FG_MAX_ARTIFACTS"))
    polling_enabled: bool = Field(default=False, validation_alias=names("POLLING_ENABLED"))
    polling_interval_minutes: int = Field(5, ge=1, le=1440, validation_alias=names("POLLING_INTERVAL_MINUTES"))
    polling_batch_size: int = Field(10, ge=1, le=1000, validation_alias=names("POLLING_BATCH_SIZE"))

    retention_deliveries_days: int = Field(30, ge=4, validation_alias=names("FG_RETENTION_DELIVERIES_DAYS"))
    retention_junit_days: int = Field(30, ge=1, validation_alias=names("FG_RETENTION_JUNIT_DAYS"))
    retention_events_days: int = Field(180, ge=2, validation_alias=names("FG_RETENTION_EVENTS_DAYS"))

    lookback_days: int = Field(30, ge=1, validation_alias=names("FG_LOOKBACK_DAYS"))
    window_size: int = Field(100, ge=10, le=1000, validation_alias=names("FG_WINDOW_SIZE"))
    min_runs: int = Field(5, ge=1, validation_alias=names("FG_MIN_RUNS"))
    flaky_threshold: float = Field(0.1, ge=0, le=1, validation_alias=names("FG_FLAKY_THRESHOLD"))
    score_weights: Any = Field((0.4, 0.3, 0.2, 0.1), validation_alias=names("FG_SCORE_WEIGHTS"))

    @override
    def _complete(self) -> None:
        """The cluster's nodes, with REDIS_URL's credentials and TLS, are where Redis is."""
        url = self.redis_url.get_secret_value() if self.redis_url else "redis://"
        scheme, _, rest = url.partition("://")
        if not self.redis_cluster_enabled or scheme.endswith("+cluster"):
            return
        if not self.redis_cluster_nodes:
            raise ValueError("REDIS_CLUSTER_ENABLED needs REDIS_CLUSTER_NODES: host:port,host:port")
        credentials = "".join(rest.rpartition("@")[:2])
        address = SecretStr(f"{scheme}+cluster://{credentials}{self.redis_cluster_nodes}")
        object.__setattr__(self, "redis_url", address)  # settings are frozen once they are made

    @field_validator("environment", mode="before")
    @classmethod
    def _node_spelling(cls, value: Any) -> Any:
        # NODE_ENV=production must win over a forgotten FG_ENV: a typo must not open an empty database.
        if os.environ.get("NODE_ENV") == "production" or value == "production":
            return Environment.PROD
        return Environment.DEV if value in ("development", "test") else value

    @field_validator("artifact_names", "artifact_files", mode="before")
    @classmethod
    def _globs(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        globs = tuple(part.strip() for part in parts if part.strip())
        if globs and not any(not glob.startswith("!") for glob in globs):
            raise ValueError("needs at least one glob that does not begin with !")
        return globs

    @field_validator("score_weights", mode="before")
    @classmethod
    def _four_weights(cls, value: Any) -> Any:
        weights = tuple(float(part) for part in value.split(",")) if isinstance(value, str) else tuple(value)
        if len(weights) != 4 or any(w < 0 for w in weights) or abs(sum(weights) - 1) > 1e-9:  # noqa: PLR2004 -- the four parts
            raise ValueError("are four numbers that sum to 1: failure rate, inconsistency, recency, branch diversity")
        return weights

    @model_validator(mode="after")
    def _windows_can_be_rebuilt(self) -> Self:
        # A run arrives after it was executed: what the lookback wants is no older by arrival than by its own time.
        if self.retention_events_days < self.lookback_days:
            raise ValueError(
                "FG_RETENTION_EVENTS_DAYS must be at least FG_LOOKBACK_DAYS: verdicts look at attempts that old"
            )
        return self

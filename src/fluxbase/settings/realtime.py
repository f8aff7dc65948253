"""Settings of realtime."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings

from fluxbase.durations import Duration
from fluxbase.settings.kit import names


class RealtimeSettings(BaseSettings):
    """Limits on connections, on what is remembered of rights, and on clients that do not read."""

    realtime_max_connections: int = Field(1000, ge=1, validation_alias=names("FLUXBASE_REALTIME_MAX_CONNECTIONS"))
    realtime_max_connections_per_user: int = Field(
        10, ge=1, validation_alias=names("FLUXBASE_REALTIME_MAX_CONNECTIONS_PER_USER")
    )
    realtime_max_connections_per_ip: int = Field(
        20, ge=1, validation_alias=names("FLUXBASE_REALTIME_MAX_CONNECTIONS_PER_IP")
    )
    realtime_rls_cache_size: int = Field(100_000, ge=0, validation_alias=names("FLUXBASE_REALTIME_RLS_CACHE_SIZE"))
    realtime_rls_cache_ttl: Duration = Field(
        timedelta(seconds=30), validation_alias=names("FLUXBASE_REALTIME_RLS_CACHE_TTL")
    )
    realtime_slow_client_threshold: int = Field(
        100, ge=1, validation_alias=names("FLUXBASE_REALTIME_SLOW_CLIENT_THRESHOLD")
    )
    realtime_slow_client_timeout: Duration = Field(
        timedelta(seconds=30), validation_alias=names("FLUXBASE_REALTIME_SLOW_CLIENT_TIMEOUT")
    )

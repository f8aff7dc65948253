"""Moments as asyncpg hands them over."""

from datetime import UTC, datetime


def aware(moment: datetime) -> datetime:
    """`moment` with its zone. For `infinity`, which operators write for "never", asyncpg answers one without any."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

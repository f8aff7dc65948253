"""Is this process well? Asked of PostgreSQL each time, with a short patience."""

import asyncio
from importlib.metadata import PackageNotFoundError, version

import structlog

from fluxbase.db import OUTAGES
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

PATIENCE_SECONDS = 2.0
_DISTRIBUTION = "flakeguard-suite"


def installed_version() -> str:
    """The distribution's version; `0+unknown` in a source tree that was never installed."""
    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:
        return "0+unknown"


async def database_answers(resources: Resources, *, patience_seconds: float = PATIENCE_SECONDS) -> bool:
    """Whether PostgreSQL answers a query in time."""
    try:
        async with asyncio.timeout(patience_seconds), resources.database.transaction() as connection:
            return await connection.fetchval("SELECT true")
    except OUTAGES as error:
        logger.warning("health check failed", service="database", error=f"{type(error).__name__}: {error}")
        return False


async def report(resources: Resources, *, well: str = "ok") -> tuple[int, dict[str, str]]:
    """Status code and body of `GET /health` in the api role's shape; `well` is the role's word for being well."""
    connected = await database_answers(resources)
    body = {
        "status": well if connected else "error",
        "database": "connected" if connected else "disconnected",
        "version": installed_version(),
        "timestamp": resources.now().isoformat().replace("+00:00", "Z"),
    }
    return (200 if connected else 503), body

"""From the key that a request carries to the row that says what it may: looked up each time, never remembered."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from fluxbase.errors import NotAuthenticatedError
from fluxbase.ratelimit import RateLimiter
from fluxbase.resources import Resources
from fluxbase.service_keys import repository
from fluxbase.service_keys.errors import InvalidServiceKeyError
from fluxbase.service_keys.form import SERVICE_KEYS, digest, is_same
from fluxbase.service_keys.model import ServiceKey

KEYS_CHANNEL = "fluxbase_service_keys"
"""Where PostgreSQL tells the id of each key that was changed or deleted."""


async def ended_keys(resources: Resources, ids: Iterable[UUID]) -> set[UUID]:
    """Those of `ids` that may be used no more, for who keeps sockets open."""
    now = resources.now()
    async with resources.database.transaction() as connection:
        known = {key.id: key for key in await repository.list_keys(connection)}
    return {one for one in ids if one not in known or not _may_be_used(known[one], now)}


def _may_be_used(key: ServiceKey, now: datetime) -> bool:
    try:
        key.check_usable(now)
    except NotAuthenticatedError:
        return False
    return True


async def verified_key(resources: Resources, limiter: RateLimiter, token: str) -> ServiceKey:
    """The key that `token` is, counted against its own rates.

    Raises:
        NotAuthenticatedError: 401, it is none of ours, or may not be used any more.
        RateLimitError: 429, it was used more often than its rates allow.
    """
    key = await _usable(resources, token)
    if key.rate_limit_per_minute is not None:
        await limiter.check("service_key", str(key.id), per_minute=key.rate_limit_per_minute)
    if key.rate_limit_per_hour is not None:
        await limiter.check_hourly("service_key", str(key.id), per_hour=key.rate_limit_per_hour)
    return key


async def _usable(resources: Resources, token: str) -> ServiceKey:
    prefix, now = SERVICE_KEYS.prefix_of(token), resources.now()
    if prefix is None:
        raise InvalidServiceKeyError
    async with resources.database.transaction() as connection:
        found = await repository.find_by_prefix(connection, prefix)
        key, stored = found or (None, digest(""))
        # What a key is told of itself, and that its prefix exists at all, is only for who has the whole of it.
        if not is_same(token, stored) or key is None:
            raise InvalidServiceKeyError
        key.check_usable(now)
        await repository.touch(connection, key, now)
    return key

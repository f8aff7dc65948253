"""Forget deliveries that nobody asks for any more."""

from datetime import datetime

from flakeguard.github.webhooks import repository
from fluxbase.db import Database

_AT_ONCE = 500


async def clean_deliveries(database: Database, before: datetime) -> int:
    """Delete deliveries that arrived before `before` and owe nothing, in batches; how many."""
    deleted = 0
    while True:
        async with database.transaction() as connection:
            count = await repository.forget_deliveries(connection, before, _AT_ONCE)
        deleted += count
        if count < _AT_ONCE:
            return deleted

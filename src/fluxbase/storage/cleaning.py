"""Removes blobs that no object needs: replaced, deleted (by SQL too), abandoned, or left by a process that died.

Every process does it, and none waits for another: each claims rows for a minute, and holds neither connection nor lock
while the store works. What it cannot remove stays in the ledger, and is claimed again later.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from fluxbase.db import Database
from fluxbase.errors import FluxbaseError
from fluxbase.repeating import beside, repeat
from fluxbase.storage import repository
from fluxbase.storage.access import blobs_of
from fluxbase.storage.blobs import BlobStore
from fluxbase.storage.objects import GRACE_SECONDS

logger = structlog.get_logger(__name__)

_PAUSE_SECONDS = 10
_BATCH = 200
# Longer than an upload may reasonably take: beyond it, a blob that was begun and never attached is a dead process's.
PENDING_SECONDS = 24 * 3600
# Longer than a batch takes. One that takes longer is no harm: keys are never used again, so removing twice is removing.
CLAIM_SECONDS = 60


async def clean(
    database: Database,
    open_blobs: Callable[[], BlobStore],
    *,
    grace_seconds: float = GRACE_SECONDS,
    pending_seconds: float = PENDING_SECONDS,
    claim_seconds: float = CLAIM_SECONDS,
) -> int:
    """Remove everything that is due; how many blobs that were. The store is opened when there is something to remove.

    Bytes go first and the ledger's row after them: when this dies in between, it is done again.

    Raises:
        UnavailableError: The object store does not answer.
    """
    removed = 0
    while True:
        async with database.transaction() as connection:
            keys = await repository.claim_unneeded_blobs(
                connection,
                grace_seconds=grace_seconds,
                pending_seconds=pending_seconds,
                claim_seconds=claim_seconds,
                limit=_BATCH,
            )
        if not keys:
            return removed
        await open_blobs().delete(keys)
        async with database.transaction() as connection:
            await repository.forget_blobs(connection, keys)
        logger.info("blobs removed", count=len(keys))
        removed += len(keys)


@asynccontextmanager
async def running_cleaner(app: FastAPI) -> AsyncGenerator[None]:
    """Clean every few seconds, as long as the block lasts."""
    work = repeat("storage cleaning", lambda: _clean_once(app), every_seconds=_PAUSE_SECONDS)
    async with beside(work, name="storage cleaner"):
        yield


async def _clean_once(app: FastAPI) -> None:
    try:
        await clean(app.state.resources.database, lambda: blobs_of(app))
    except FluxbaseError as error:
        logger.warning("storage not cleaned", error=f"{type(error).__name__}: {error}", retry_seconds=CLAIM_SECONDS)

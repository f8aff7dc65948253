"""Work that is done again and again beside the requests, and must not end unnoticed."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from fluxbase.db import OUTAGES

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None], *, name: str) -> AsyncGenerator[None]:
    """Do `work` as long as the block lasts. Leaving it raises what `work` has raised meanwhile."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def repeat(name: str, step: Callable[[], Awaitable[object]], *, every_seconds: float) -> None:
    """Do `step`, wait, and do it again until cancelled. Whatever it raises is logged, and is no reason to stop."""
    while True:
        try:
            await step()
        except OUTAGES as error:
            logger.warning("waiting for a server", work=name, error=f"{type(error).__name__}: {error}")
        except Exception:
            logger.exception("repeated work failed", work=name)
        await asyncio.sleep(every_seconds)

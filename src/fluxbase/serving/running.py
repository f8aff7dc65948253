"""How every role runs: on which event loop, and with which garbage collection."""

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

from uvicorn.loops.auto import auto_loop_factory

_ALLOCATIONS_BETWEEN_COLLECTIONS = 50_000


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a role to its end, on uvloop where there is one: a request costs half of what it does on asyncio's own."""
    _tune_garbage_collection()
    asyncio.run(main, loop_factory=auto_loop_factory())


def _tune_garbage_collection() -> None:
    """Look for cycles less often, and never among what was there before any work.

    A job makes tens of thousands of short-lived rows. With Python's defaults a quarter of an analysis was spent on
    walking the modules' objects over and over (docs/benchmarks.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS, 20, 20)

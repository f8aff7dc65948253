"""Where the process spends its time, and what memory it takes, watched for a while."""

import asyncio
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import FrameType

from fluxbase.errors import ConflictError
from fluxbase.monitoring.profiling.encoding import Profile, Stack, encode

_HERTZ = 100
_DEEPEST = 128
_HEAP_FRAMES = 16
_PERIOD_NANOS = 1_000_000_000 // _HERTZ

_one_at_a_time = asyncio.Lock()


class ProfilingError(ConflictError):
    """A profile is being taken already; try again when it is done."""

    code = "profiling"


async def cpu_profile(seconds: float) -> bytes:
    """Stacks of every thread, looked at a hundred times a second for `seconds`, from a thread of its own.

    Python shows stacks and not whether they run: waiting counts as time too. A thread that waits for events stands in
    the event loop's select.

    Raises:
        ProfilingError: 409, another profile is being taken.
    """
    async with _only_one():
        began = time.time_ns()
        seen = await asyncio.to_thread(_watch, seconds)
    samples = [(stack, (count, count * _PERIOD_NANOS)) for stack, count in seen.items()]
    kinds = (("samples", "count"), ("cpu", "nanoseconds"))
    return encode(Profile(kinds, samples, _PERIOD_NANOS, began, int(seconds * 1e9)))


async def heap_profile(seconds: float) -> bytes:
    """What was allocated within `seconds` and is still there at their end, by tracemalloc, which runs no longer.

    It sees nothing that was there before, and slows the process while it watches.

    Raises:
        ProfilingError: 409, another profile is being taken.
    """
    async with _only_one():
        began = time.time_ns()
        tracemalloc.start(_HEAP_FRAMES)
        try:
            await asyncio.sleep(seconds)
            snapshot = tracemalloc.take_snapshot()
        finally:
            tracemalloc.stop()
    kinds = (("inuse_objects", "count"), ("inuse_space", "bytes"))
    return await asyncio.to_thread(_encode_heap, snapshot, kinds, began, seconds)


def _encode_heap(
    snapshot: tracemalloc.Snapshot, kinds: tuple[tuple[str, str], ...], began: int, seconds: float
) -> bytes:
    samples: list[tuple[Stack, tuple[int, int]]] = []
    for found in snapshot.statistics("traceback"):
        # tracemalloc knows files and lines, not functions; outermost first.
        stack = tuple((f"{one.filename}:{one.lineno}", one.filename, one.lineno) for one in reversed(found.traceback))
        samples.append((stack, (found.count, found.size)))
    return encode(Profile(kinds, samples, 0, began, int(seconds * 1e9)))


def _watch(seconds: float) -> Counter[Stack]:
    seen: Counter[Stack] = Counter()
    myself, end = threading.get_ident(), time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        for thread, frame in _frames().items():
            if thread != myself:
                seen[_stack_of(frame)] += 1
        time.sleep(max(0.0, 1 / _HERTZ - (time.monotonic() - now)))
    return seen


def _frames() -> dict[int, FrameType]:
    """Where every thread is: documented, in spite of its name, and the only way to know."""
    return sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- see above


def _stack_of(innermost: FrameType | None) -> Stack:
    stack: list[tuple[str, str, int]] = []
    frame = innermost
    while frame is not None and len(stack) < _DEEPEST:
        stack.append((frame.f_code.co_qualname, frame.f_code.co_filename, frame.f_lineno or 0))
        frame = frame.f_back
    return tuple(stack)


@asynccontextmanager
async def _only_one() -> AsyncGenerator[None]:
    if _one_at_a_time.locked():
        raise ProfilingError
    async with _one_at_a_time:
        yield

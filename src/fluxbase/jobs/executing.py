"""Run one attempt of a function and say how it ended. Touches no database."""

import asyncio
import contextvars
import inspect
import json
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fluxbase.jobs.context import Job, Stop
from fluxbase.jobs.errors import ClaimLostError, PermanentError
from fluxbase.jobs.functions import Function
from fluxbase.monitoring.redaction import redact_text

LONGEST_RESULT_BYTES = 1024 * 1024
_LONGEST_ERROR = 2_000
_LONGEST_STACK = 8_000
_THREAD_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Completed:
    """It returned `result`, which is JSON."""

    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """It raised, or took too long. `error` is type and message; `final` says that trying again cannot help."""

    error: str
    stack: str | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Stopped:
    """It was told to stop, and did."""

    reason: Stop


type Outcome = Completed | Failed | Stopped


async def execute(function: Function, job: Job) -> Outcome:
    """One attempt. Cancelling the task of this coroutine after `job.stop(reason)` ends a coroutine function at once.

    A plain function runs in a thread of its own, which nothing can end from outside: it must look at `job.cancelled`.
    """
    limit = asyncio.timeout(function.timeout_seconds)
    try:
        async with limit:
            result = await _call(function, job)
    except asyncio.CancelledError:
        if job.stop_reason is None:
            raise
        return Stopped(job.stop_reason)
    except ClaimLostError:
        return Stopped(Stop.LOST)
    except _StillRunningError as error:
        return Failed(f"Timeout: {error}", final=True)
    except Exception as error:  # noqa: BLE001 -- whatever a function raises is its job's error
        if limit.expired():
            return Failed(f"Timeout: it took longer than {function.timeout_seconds:g} seconds")
        return _failed(error)
    return _stopped(job) or _completed(result)


def _stopped(job: Job) -> Stopped | None:
    # It was asked to stop and returned by itself.
    reason = job.stop_reason
    return Stopped(reason) if reason is Stop.CANCELLED or reason is Stop.LOST else None


def _completed(result: Any) -> Outcome:
    try:
        size = len(json.dumps(result, allow_nan=False))
    except (TypeError, ValueError) as error:
        return Failed(f"InvalidResult: what the function returned is not JSON ({_one_line(error)})", final=True)
    if size > LONGEST_RESULT_BYTES:
        return Failed(f"InvalidResult: {size} bytes of result, at most {LONGEST_RESULT_BYTES} are stored", final=True)
    return Completed(result)


def _failed(error: Exception) -> Failed:
    text = redact_text(f"{type(error).__name__}: {error}").replace("\0", "")
    # The end of a stack is what matters. Lines of code only, never values of variables.
    stack = redact_text("".join(traceback.format_exception(error))).replace("\0", "")
    return Failed(text[:_LONGEST_ERROR], stack[-_LONGEST_STACK:], isinstance(error, PermanentError))


def _one_line(error: Exception) -> str:
    return redact_text(str(error)).replace("\0", "")[:200]


async def _call(function: Function, job: Job) -> Any:
    if inspect.iscoroutinefunction(function.body):
        return await function.body(job)
    result = await _in_thread(function.body, job)
    return await result if inspect.isawaitable(result) else result


class _StillRunningError(Exception):
    """A thread outlived its time."""


async def _in_thread(body: Callable[[Job], Any], job: Job) -> Any:
    """Run `body` in a daemon thread: one that never returns must not keep the process from ending.

    Raises:
        _StillRunningError: It timed out and did not heed `job.cancelled`. Trying again would make two of it.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def run() -> None:
        result, raised = None, None
        try:
            result = context.run(body, job)
        except BaseException as error:  # noqa: BLE001 -- it is the job's, not the thread's
            raised = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(_fulfil, done, result, raised)

    threading.Thread(target=run, name=f"job {job.name}", daemon=True).start()
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        if job.stop_reason is None:
            job.stop(Stop.TIMED_OUT)
        await _wait_for_thread(done, job)
        raise


def _fulfil(done: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(result)
    elif isinstance(error, StopIteration):  # a future takes none
        done.set_exception(RuntimeError("the function raised StopIteration"))
    else:
        done.set_exception(error)


async def _wait_for_thread(done: "asyncio.Future[Any]", job: Job) -> None:
    if job.stop_reason in (Stop.CANCELLED, Stop.TIMED_OUT, Stop.LOST):
        await asyncio.wait([done], timeout=_THREAD_GRACE_SECONDS)
    if done.done():
        done.exception()  # retrieved: it came too late to count
    elif job.stop_reason is Stop.TIMED_OUT:
        raise _StillRunningError("its thread did not stop when it was told to, so it is not tried again")

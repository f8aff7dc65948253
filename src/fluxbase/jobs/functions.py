"""Functions that jobs run, registered by name in a registry that is passed around, and the schedules that want them.

```python
functions = Functions()

@functions.function("report.daily", max_attempts=5, timeout_seconds=300)
async def report(job: Job) -> dict[str, int]:
    await job.progress(0.5, "half of it")
    return {"rows": 42}

functions.schedule("report.every-morning", function="report.daily", cron="0 7 * * *", time_zone="Europe/Berlin")
```
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from fluxbase.jobs import cron as cron_expressions
from fluxbase.jobs.context import Job
from fluxbase.jobs.retry import Backoff

type Role = Literal["anon", "authenticated", "service_role"]
type Body = Callable[[Job], Awaitable[Any]] | Callable[[Job], Any]

_LONGEST_NAME = 200
_MOST_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class Function:
    """What runs a job, and how.

    Attributes:
        name: What jobs call it.
        body: A coroutine function, or a plain one, which runs in a thread. Its result must be JSON.
        max_attempts: Attempts in all, those that a worker's death cut short counted; a job may ask for fewer.
        timeout_seconds: For one attempt; None is no limit.
        backoff: Waiting between attempts.
        callable_by: Roles that may submit it over HTTP; service_role always may.
    """

    name: str
    body: Body
    max_attempts: int = 3
    timeout_seconds: float | None = 300.0
    backoff: Backoff = field(default_factory=Backoff)
    callable_by: frozenset[Role] = frozenset()

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= _LONGEST_NAME or not self.name.isprintable():
            raise ValueError("a function's name is 1 to 200 printable characters")
        if not 1 <= self.max_attempts <= _MOST_ATTEMPTS:
            raise ValueError(f"{self.name}: max_attempts is from 1 to {_MOST_ATTEMPTS}")
        if self.timeout_seconds is not None and self.timeout_seconds <= 0:
            raise ValueError(f"{self.name}: timeout_seconds is more than 0, or None")


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a function runs by itself. `at_once`: a schedule that is new is due now, not only at its first time."""

    name: str
    function: str
    cron: str
    time_zone: str = "UTC"
    payload: Mapping[str, Any] = field(default_factory=dict[str, Any])
    at_once: bool = False


class Functions:
    """A registry. Names are unique in it."""

    def __init__(self) -> None:
        self._functions: dict[str, Function] = {}
        self._schedules: dict[str, Schedule] = {}

    def function(
        self,
        name: str,
        *,
        max_attempts: int = 3,
        timeout_seconds: float | None = 300.0,
        backoff: Backoff | None = None,
        callable_by: tuple[Role, ...] = (),
    ) -> Callable[[Body], Body]:
        """A decorator that registers what it is put on, and returns it as it was.

        Raises:
            ValueError: The name is taken, or a figure is out of range.
        """

        def register(body: Body) -> Body:
            self.add(Function(name, body, max_attempts, timeout_seconds, backoff or Backoff(), frozenset(callable_by)))
            return body

        return register

    def add(self, function: Function) -> None:
        """Register a function.

        Raises:
            ValueError: The name is taken.
        """
        if function.name in self._functions:
            raise ValueError(f"a function named {function.name} is registered already")
        self._functions[function.name] = function

    def schedule(
        self,
        name: str,
        *,
        function: str,
        cron: str,
        time_zone: str = "UTC",
        payload: Mapping[str, Any] | None = None,
        at_once: bool = False,
    ) -> None:
        """Run a registered function by the clock: `cron` is minute, hour, day, month, weekday in `time_zone`.

        Raises:
            ValueError: The name is taken, the function is not registered, or the expression or zone is none.
        """
        if name in self._schedules:
            raise ValueError(f"a schedule named {name} is registered already")
        if function not in self._functions:
            raise ValueError(f"the schedule {name} wants {function}, which is not registered")
        cron_expressions.check(cron, time_zone)
        self._schedules[name] = Schedule(name, function, cron, time_zone, payload or {}, at_once)

    def include(self, other: "Functions") -> None:
        """Take over all functions and schedules of another registry.

        Raises:
            ValueError: A name is taken.
        """
        for function in other:
            self.add(function)
        for schedule in other.schedules:
            if schedule.name in self._schedules:
                raise ValueError(f"a schedule named {schedule.name} is registered already")
            self._schedules[schedule.name] = schedule

    @property
    def names(self) -> list[str]:
        """Of the functions, sorted."""
        return sorted(self._functions)

    @property
    def schedules(self) -> list[Schedule]:
        """In the order in which they were registered."""
        return list(self._schedules.values())

    def __getitem__(self, name: str) -> Function:
        return self._functions[name]

    def __iter__(self) -> Iterator[Function]:
        return iter(self._functions.values())

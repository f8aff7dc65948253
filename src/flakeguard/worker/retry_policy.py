"""What follows from a job's failure, by the worker document's table: another try, a wait, or a dead letter.

| kind       | such as                                     | what follows                                       |
|------------|---------------------------------------------|----------------------------------------------------|
| validation | wrong data, broken artifacts, a refusal     | dead letter at once                                |
| network    | GitHub does not answer, a connection breaks | 3 retries: 5 s, doubled, at most 30 s, jitter      |
| processing | anything else that breaks                   | the same                                           |
| rate_limit | GitHub's limits                             | waits as asked; costs no retry, for a day at most  |
| outage     | PostgreSQL or Redis is away, or this worker | waits 5 s, doubled, to 30 s; costs none, for a day |
|            | lacks what others have: key, newer version  |                                                    |
| system     | memory, disk, file handles                  | an alert in the log, then as network               |

Who refuses and says for how long (Retry-After, X-RateLimit-Reset) is believed, up to the day.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

RETRY_DELAY_MS = 5_000
MAX_RETRY_DELAY_MS = 30_000
BACKOFF_MULTIPLIER = 2
JITTER = 0.2
MAX_RETRY_ATTEMPTS: Final = 3
MOST_WAITING_SECONDS: Final = 24 * 60 * 60.0


class Kind(StrEnum):
    """A row of the table."""

    VALIDATION = "validation"
    NETWORK = "network"
    RATE_LIMIT = "rate_limit"
    PROCESSING = "processing"
    SYSTEM = "system"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True)
class Retry:
    """One try is used up; the next comes after `delay_ms`."""

    delay_ms: int


@dataclass(frozen=True, slots=True)
class Wait:
    """No try is used up; the job comes back after `delay_ms`."""

    delay_ms: int


@dataclass(frozen=True, slots=True)
class Bury:
    """Nobody tries again until a person says so."""

    why: str


type Decision = Retry | Wait | Bury


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed try: `tries` made with this one, of `allowed` in all.

    It has waited `waits` times before, without a try being counted, the first time `waited_seconds` ago.
    `asked_seconds` is what the refuser asked for.
    """

    kind: Kind
    tries: int
    allowed: int = 1 + MAX_RETRY_ATTEMPTS
    waits: int = 0
    waited_seconds: float = 0.0
    asked_seconds: float | None = None


def decide(failure: Failure, random: Callable[[], float]) -> Decision:
    """What follows from `failure`; `random` gives numbers in [0, 1)."""
    if failure.kind is Kind.VALIDATION:
        return Bury("trying again cannot help")
    if failure.kind in (Kind.RATE_LIMIT, Kind.OUTAGE):
        return _wait(failure, random)
    if failure.tries >= failure.allowed:
        return Bury(f"failed {failure.tries} times")
    return Retry(_delay(failure, failure.tries, random))


def _wait(failure: Failure, random: Callable[[], float]) -> Decision:
    if failure.waited_seconds >= MOST_WAITING_SECONDS:
        return Bury("waited for a day")
    left = round((MOST_WAITING_SECONDS - failure.waited_seconds) * 1000)
    return Wait(min(left, _delay(failure, failure.waits + 1, random)))


def _delay(failure: Failure, tries: int, random: Callable[[], float]) -> int:
    if failure.asked_seconds is None:
        return delay_ms(tries, random)
    asked = min(max(failure.asked_seconds, 0.0), MOST_WAITING_SECONDS)
    # Never earlier than asked; a little apart, for many jobs are told the same moment.
    return round(asked * 1000 + RETRY_DELAY_MS * JITTER * random())


def delay_ms(attempts_made: int, random: Callable[[], float]) -> int:
    """Milliseconds before the next try after `attempts_made` tries (from 1); `random` gives numbers in [0, 1)."""
    whole = min(MAX_RETRY_DELAY_MS, RETRY_DELAY_MS * BACKOFF_MULTIPLIER ** min(max(attempts_made, 1) - 1, 16))
    return round(whole * (1 - JITTER + JITTER * random()))

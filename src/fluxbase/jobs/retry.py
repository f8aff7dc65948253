"""When a failed job is tried again. Pure: randomness comes in."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential: `first_seconds`, times `multiplier` for each further attempt, at most `longest_seconds`.

    Of each delay up to the share `jitter` is taken off at random, so that jobs that failed together do not come back
    together.
    """

    first_seconds: float = 5.0
    multiplier: float = 2.0
    longest_seconds: float = 3600.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        if self.first_seconds < 0 or self.longest_seconds < self.first_seconds:
            raise ValueError("a back-off needs 0 <= first_seconds <= longest_seconds")
        if self.multiplier < 1 or not 0 <= self.jitter <= 1:
            raise ValueError("a back-off needs multiplier >= 1 and 0 <= jitter <= 1")


def delay_seconds(backoff: Backoff, attempts: int, random: Callable[[], float]) -> float:
    """Seconds to wait after `attempts` attempts (from 1); `random` gives numbers in [0, 1)."""
    if attempts < 1:
        raise ValueError("there is nothing to wait for before the first attempt")
    try:
        full = min(backoff.first_seconds * backoff.multiplier ** (attempts - 1), backoff.longest_seconds)
    except OverflowError:
        full = backoff.longest_seconds
    return full * (1 - backoff.jitter * random())

"""When a failed job is tried again: 5 s, doubled each time, at most 30 s, with jitter (the worker document's table)."""

from collections.abc import Callable

RETRY_DELAY_MS = 5_000
MAX_RETRY_DELAY_MS = 30_000
BACKOFF_MULTIPLIER = 2
JITTER = 0.2


def delay_ms(attempts_made: int, random: Callable[[], float]) -> int:
    """Milliseconds before the next try after `attempts_made` tries (from 1); `random` gives numbers in [0, 1)."""
    whole = min(MAX_RETRY_DELAY_MS, RETRY_DELAY_MS * BACKOFF_MULTIPLIER ** (max(attempts_made, 1) - 1))
    return round(whole * (1 - JITTER + JITTER * random()))

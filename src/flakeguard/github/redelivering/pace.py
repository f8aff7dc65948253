"""Since when GitHub's list is read, and how often a delivery is asked for. Pure."""

from datetime import datetime, timedelta

REDELIVERABLE = timedelta(days=3)
"""GitHub delivers nothing again that is older."""
FORGOTTEN = timedelta(days=7)
"""How long it stays known that a delivery never came."""
MOST_AT_ONCE = 100
"""Asked for in one look: they all come at once."""
WAITS = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=8), REDELIVERABLE)
"""After each time that a delivery was asked for, until the next. As many times as there are waits."""
_OVERLAP = timedelta(minutes=10)  # clocks differ, and GitHub lists an attempt when that has ended


def read_since(until: datetime | None, now: datetime) -> datetime:
    """From when on the list is read that was read `until` then; None is never."""
    oldest = now - REDELIVERABLE
    return oldest if until is None else max(until - _OVERLAP, oldest)

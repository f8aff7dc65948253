"""When a repository is looked at, and from where on. Pure.

GitHub lists runs by the time they were created, and a rerun keeps that time, so each look begins a day before the
newest run that is known: runs that were under way, and reruns, are seen again. What is known already is not owed twice.
A run that waits for a maintainer's approval may do so for longer: the list begins no later than it, for a week at most.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

OVERLAP = timedelta(days=1)
FIRST_LOOK = timedelta(days=7)
"""How far back a repository is read that was never polled."""
LONGEST_APPROVAL = timedelta(days=7)
"""How long a run that waits for approval is looked for."""
LONGEST_WAIT = timedelta(hours=6)
DEAD_RESTS = timedelta(hours=1)
"""How long after a look was given up the repository is looked at again, whether or not a person did anything."""


def created_since(cursor: datetime | None, now: datetime) -> datetime:
    """From when on runs are listed. It moves only with the cursor, so that an unchanged list has the same address."""
    return (cursor - OVERLAP) if cursor else (now - FIRST_LOOK).replace(minute=0, second=0, microsecond=0)


def next_cursor(
    cursor: datetime | None, created: Iterable[datetime], now: datetime, oldest_waiting: datetime | None = None
) -> datetime | None:
    """The newest creation seen, never later than now nor earlier than before, and what waits is listed from it on."""
    newest = max((min(moment, now) for moment in created), default=None)
    if newest is not None and oldest_waiting is not None:
        newest = min(newest, oldest_waiting + OVERLAP)
    return max((moment for moment in (newest, cursor) if moment is not None), default=None)


def due_before(now: datetime, interval: timedelta) -> datetime:
    """Repositories last looked at before this are due; some seconds of grace keep a regular beat regular."""
    return now - interval + min(interval / 10, timedelta(seconds=30))


def wait_after(failures: int, interval: timedelta, random: float) -> timedelta:
    """How long a repository rests after failures in a row: the interval doubled for each, at most six hours.

    `random` in [0, 1) takes off up to a fifth, so that repositories that failed together do not return together.
    """
    whole = min(LONGEST_WAIT, interval * 2 ** min(max(failures, 1), 20))
    return whole * (1 - 0.2 * random)

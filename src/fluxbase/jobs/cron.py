"""When a schedule is due. Pure: the clock comes in."""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError


def check(cron: str, time_zone: str) -> None:
    """Refuse what is no cron expression or no IANA time zone.

    Raises:
        ValueError: With words that say which.
    """
    _first(cron, datetime(2024, 1, 1, tzinfo=UTC), time_zone)


def next_due(cron: str, time_zone: str, after: datetime) -> datetime:
    """The first due time later than `after`, in UTC.

    Hours and minutes are those of the zone's wall clock; where that jumps, what Debian's cron does is done: what falls
    into the missing hour runs once right after it, what falls into the repeated hour runs once.

    Raises:
        ValueError: `cron` or `time_zone` is none. What stands in the database anyone may have changed.
    """
    return _first(cron, after, time_zone)


def latest_due(cron: str, time_zone: str, since: datetime, now: datetime) -> datetime:
    """The last due time up to `now`, `since` being one: what is made up for after a time without workers.

    Raises:
        ValueError: `cron` or `time_zone` is none.
    """
    latest = _first(cron, _after_this_second(now, _zone(time_zone)), time_zone, reverse=True)
    return max(latest, since)


def _first(cron: str, start: datetime, time_zone: str, *, reverse: bool = False) -> datetime:
    try:
        return next(CronSim(cron, start.astimezone(_zone(time_zone)), reverse=reverse)).astimezone(UTC)
    except (CronSimError, StopIteration, OverflowError) as error:
        raise ValueError(f"{cron!r} is no cron expression (minute hour day month weekday): {error}") from error


def _after_this_second(now: datetime, zone: ZoneInfo) -> datetime:
    # Going backwards CronSim leaves out the very second it starts from, unless there are microseconds to strip.
    return now.astimezone(zone).replace(microsecond=1)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone; they are called like UTC or Europe/Berlin") from error

"""Durations: as people write them (`30s`, `15m`, `168h`, `500ms`, or a bare number of seconds), and measured ones."""

import re
import time
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*")
_LONGEST = timedelta(days=36_500)  # the calendar ends in the year 9999, and what is added to today must not pass it


def parse_duration(value: Any) -> Any:
    """A text or a number as a timedelta; what is neither is left to pydantic.

    Raises:
        ValueError: The text is no duration, or one of more than a hundred years.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    found = _DURATION.fullmatch(str(value))
    if found is None:
        raise ValueError("is a duration such as 500ms, 30s, 15m or 168h")
    seconds = float(found[1]) * _UNITS[found[2] or "s"]
    if seconds > _LONGEST.total_seconds():
        raise ValueError("is longer than a hundred years (36500d)")
    return timedelta(seconds=seconds)


def milliseconds_since(started: float) -> float:
    """Since `started`, which `time.perf_counter()` said, with one decimal."""
    return round((time.perf_counter() - started) * 1000, 1)


type Duration = Annotated[timedelta, BeforeValidator(parse_duration)]

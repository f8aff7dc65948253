"""Numbers and moments as reports write them."""

import math
import re
from datetime import datetime

IMPLAUSIBLE_SECONDS = 1e7
"""From here (115 days) a duration is no number of seconds: some tools write nanoseconds."""

_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_GROUPED_BY_POINTS = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d+)?)")
_UNITS = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "s": 1.0, "sec": 1.0}
_WITH_UNIT = re.compile(r"([\d.,eE+-]+)\s*(ms|us|µs|ns|sec|s)")
_SPACED = re.compile(r"(\d{4}-\d{2}-\d{2})T?\s+(\d{2}:)")


def parse_seconds(text: str | None) -> float | None:
    """A duration in seconds, or None when the text is missing, not a number, negative or implausible.

    Reads `1,234.5`, `1.234,5` and `0,12` as people of several countries mean them, `1.5s`, `12ms`, `0:01:02.5`.
    """
    if not text:
        return None
    text = text.strip()
    value = _plain_number(text)
    if value is None and (match := _CLOCK.fullmatch(text)):
        hours, minutes, seconds = match.groups()
        value = int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds)
    if value is None and (match := _WITH_UNIT.fullmatch(text)):
        number = _plain_number(match.group(1))
        value = None if number is None else number * _UNITS[match.group(2)]
    if value is None or not math.isfinite(value) or not 0 <= value < IMPLAUSIBLE_SECONDS:
        return None
    return value


def _plain_number(text: str) -> float | None:
    """The number, whichever of comma and point groups its digits."""
    if "," in text:
        if _GROUPED.fullmatch(text) and not text.startswith("0,"):
            text = text.replace(",", "")
        elif _GROUPED_BY_POINTS.fullmatch(text):
            text = text.replace(".", "").replace(",", ".")
        else:
            text = text.replace(",", ".")
    try:
        return float(text)
    except ValueError:
        return None


def parse_timestamp(text: str | None) -> datetime | None:
    """The moment, with its zone if it states one and naive if not; None when it cannot be read."""
    if not text:
        return None
    text = _SPACED.sub(r"\1T\2", text.strip())
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def parse_line(text: str | None) -> int | None:
    """A line number, or None when there is none."""
    if text is None or not text.strip().isdecimal() or len(text) > 9:  # noqa: PLR2004 - fits a 32-bit column
        return None
    return int(text)

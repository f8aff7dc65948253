"""How numbers, times and texts read on a page. Pure: the clock comes in as an argument."""

from datetime import UTC, datetime, timedelta

from markupsafe import Markup, escape

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_RELATIVE_DAYS = 30
_NEVER = "never"


def absolute(moment: datetime) -> str:
    """`22 Nov 2026, 14:03:09 UTC`."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC"


def day(moment: datetime) -> str:
    """`22 Nov 2026`, by UTC."""
    return f"{moment.astimezone(UTC):%-d %b %Y}"


def relative(moment: datetime, now: datetime) -> str:
    """`just now`, `5 min ago`, `in 3 days`; a date once it is further than a month away."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) > _RELATIVE_DAYS * _DAY:
        return day(moment)
    if abs(seconds) < _MINUTE:
        return "just now" if seconds >= 0 else "in a moment"
    text = _span(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


def _span(seconds: float) -> str:
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min"
    if seconds < _DAY:
        return f"{int(seconds // _HOUR)} h"
    return plural(int(seconds // _DAY), "day")


def time_element(moment: datetime | None, now: datetime) -> Markup:
    """A `<time>` that reads relative and holds the absolute time as its title."""
    if moment is None:
        return Markup('<span class="muted">{}</span>').format(_NEVER)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.astimezone(UTC).isoformat(timespec="seconds"), absolute(moment), relative(moment, now)
    )


def duration(milliseconds: float | None) -> str:
    """`430 ms`, `2.4 s`, `3 min 20 s`, `1 h 5 min`; a dash for an unknown one."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1:
        return "< 1 ms"
    if milliseconds < 1000:  # noqa: PLR2004 -- a second
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def between(start: datetime | None, end: datetime | None) -> str:
    """The duration from `start` to `end`; a dash when one is unknown."""
    return duration((end - start) / timedelta(milliseconds=1)) if start and end else "–"


def percent(share: float | None) -> str:
    """`0.034` as `3.4 %`; what is not nothing never reads as `0 %`, what is not all never as `100 %`."""
    if share is None:
        return "–"
    if 0 < share < 0.001:  # noqa: PLR2004 -- one decimal would say 0.0
        return "< 0.1 %"
    value = share * 100
    if 99.5 <= value < 100:  # noqa: PLR2004 -- rounding must not say all
        return "> 99 %"
    return f"{value:.1f} %" if 0 < value < 10 and round(value, 1) % 1 else f"{value:.0f} %"  # noqa: PLR2004


def odds(probability: float) -> str:
    """A probability in words that people weigh rightly: `about 9 in 10`, `99 in 100`, `less than 1 in 100`."""
    if probability >= 0.995:  # noqa: PLR2004 -- the words are the table
        return "more than 99 in 100"
    if probability < 0.01:  # noqa: PLR2004
        return "less than 1 in 100"
    if probability > 0.95 or probability < 0.05:  # noqa: PLR2004
        return f"{round(probability * 100)} in 100"
    return f"about {round(probability * 10) or 1} in 10"


def number(value: float) -> str:
    """`12345` as `12 345`, with spaces that do not break."""
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 test`, `2 tests`, `1 entry`, `3 entries` (give `many` where an s will not do)."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def short_sha(sha: str) -> str:
    """The first eight characters of a full commit id; anything else as it is."""
    return sha[:8] if len(sha) == 40 and all(c in "0123456789abcdef" for c in sha) else sha  # noqa: PLR2004 -- SHA-1


def size(count: int) -> str:
    """Bytes for people: `640 B`, `12 kB`, `3.4 MB`."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:  # noqa: PLR2004 -- decimal units
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"  # noqa: PLR2004
        value /= 1000
    return f"{value:.1f} GB"


def breakable(text: str) -> Markup:
    """`text` with places to break after the separators that test names have, so that long names wrap well."""
    escaped = str(escape(text))
    for mark in ("/", "::", ".", "_"):
        escaped = escaped.replace(mark, f"{mark}<wbr>")
    return Markup(escaped)  # noqa: S704 -- escaped above; only <wbr> was added

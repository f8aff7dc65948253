"""What is left of a budget of GitHub's calls, and whether one more may be made. Pure; times are seconds since 1970.

GitHub gives each installation so many calls an hour, and says with every answer how many are left until when. It may
also ask to be left alone for a while.
"""

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Any

RESERVE = 0.1
"""The part of an hour's calls that is kept for what webhooks and people ask for: calls that can wait leave it alone."""
ROOMY = 0.5
"""The part of an hour's calls above which processes need not hear of each other's at once: GitHub tells each of all."""
LONGEST_SECONDS = 3600.0
"""Budgets are renewed every hour: a time that is further away comes from a clock that is wrong."""
_SAME_WINDOW_SECONDS = 5.0  # GitHub's own servers differ by a second or two in when a window ends
_CLOCKS_DIFFER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is known: `remaining` calls of `limit` until `reset`, and none before `wait_until`.

    `remaining` is None while GitHub has not told; calls under way are taken off already.
    """

    remaining: int | None = None
    limit: int | None = None
    reset: float = 0.0
    wait_until: float = 0.0

    @property
    def reserve(self) -> int:
        """How many of the calls are not for what can wait."""
        return int((self.limit or 0) * RESERVE)

    def ends_at(self) -> float:
        """When nothing of this is true any more."""
        return max(self.reset, self.wait_until)


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer said. `free`: GitHub does not count it; `wait_seconds` is how long it asks to be left alone."""

    remaining: int | None = None
    limit: int | None = None
    reset: float | None = None
    wait_seconds: float | None = None
    free: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """No call is made for so many seconds. `reserved`: there are some left, for what cannot wait."""

    seconds: float
    reserved: bool = False


def told_by(headers: Mapping[str, str], *, free: bool = False, wait_seconds: float | None = None) -> Told:
    """What an answer's headers, by lower-case names, say of the budget that our calls count against."""
    if headers.get("x-ratelimit-resource", "core") != "core":
        return Told(wait_seconds=wait_seconds, free=free)
    remaining, limit, reset = (_number(headers.get(f"x-ratelimit-{name}")) for name in ("remaining", "limit", "reset"))
    return Told(remaining, limit, None if reset is None else float(reset), wait_seconds, free)


def take(known: Allowance, now: float, *, can_wait: bool) -> tuple[Allowance, Refused | None]:
    """What is known when a call is begun, and why it is not made after all.

    Who does not know lets everything pass: GitHub's next answer tells.
    """
    if known.wait_until > now:
        return known, Refused(_seconds(known.wait_until - now))
    if known.remaining is None or known.reset <= now:
        return Allowance(), None
    if known.remaining <= (known.reserve if can_wait else 0):
        return known, Refused(_seconds(known.reset - now + _CLOCKS_DIFFER_SECONDS), reserved=known.remaining > 0)
    return replace(known, remaining=known.remaining - 1), None


def roomy(known: Allowance, now: float) -> bool:
    """Whether so many calls are left, or so little is known, that those of a second cannot matter."""
    if known.wait_until > now:
        return False
    return known.remaining is None or known.reset <= now or known.remaining > (known.limit or 0) * ROOMY


def hear(known: Allowance, told: Told, now: float) -> Allowance:
    """What is known after an answer. Answers come in any order: within a window the smaller number is the newer one."""
    waits = 0.0 if told.wait_seconds is None else now + min(told.wait_seconds, LONGEST_SECONDS)
    wait_until = max(known.wait_until, waits)
    if told.remaining is None or told.reset is None:
        return replace(known, wait_until=wait_until)
    reset = min(told.reset, now + LONGEST_SECONDS)
    if known.remaining is None or known.reset <= now or reset > known.reset + _SAME_WINDOW_SECONDS:
        return Allowance(told.remaining, told.limit, reset, wait_until)
    if reset < known.reset - _SAME_WINDOW_SECONDS:
        return replace(known, wait_until=wait_until)  # of a window that is over
    ours = known.remaining + (1 if told.free else 0)
    return Allowance(min(ours, told.remaining), told.limit or known.limit, max(reset, known.reset), wait_until)


def packed(known: Allowance) -> str:
    """As it is kept; nothing when nothing is known."""
    return "" if known == Allowance() else json.dumps(astuple(known))


def unpacked(kept: str) -> Allowance:
    """What was kept; nothing is known of what cannot be read (another version wrote it)."""
    try:
        remaining, limit, reset, wait_until = json.loads(kept)
        return Allowance(_whole(remaining), _whole(limit), float(reset), float(wait_until))
    except (ValueError, TypeError):
        return Allowance()


def _seconds(until: float) -> float:
    return min(max(until, 1.0), LONGEST_SECONDS)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def _whole(told: Any) -> int | None:
    return None if told is None else int(told)

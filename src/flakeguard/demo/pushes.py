"""Three weeks of pushes: main, feature branches with pull requests, a release branch, and the nightly runs."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from flakeguard.demo.model import MAIN, Push

OPEN_BRANCH, OPEN_PULL_REQUEST = "feature/express-checkout", 1431
RELEASE_BRANCH = "release/2.4"
BREAKS_BEFORE_NOW = timedelta(hours=25)
"""How long before now main was broken."""

_DAYS = 21
_LAST_PLANNED_DAY = 2  # the last day and a half is planned by the hour
_SATURDAY = 5
_WEEK = 5
_JITTER_MINUTES = 40
_NIGHT_HOUR = 3
_SHA_BITS = 160

_MAIN_HOURS = ((10,), (9, 15), (11,), (10, 16), (14,))
"""Hours of the merges on each working day of a week."""
_BRANCHES: dict[str, tuple[int | None, tuple[tuple[int, int], ...]]] = {
    "feature/gift-cards": (1412, ((0, 11), (1, 14), (2, 10), (2, 16))),
    "fix/rounding-of-discounts": (1415, ((3, 9), (3, 15))),
    "feature/search-facets": (1418, ((3, 13), (4, 11), (5, 12), (6, 10))),
    RELEASE_BRANCH: (None, ((5, 17), (6, 15), (8, 12), (10, 16))),
    "chore/upgrade-spring": (1421, ((6, 14), (7, 11))),
    "feature/guest-checkout": (1424, ((7, 13), (8, 10), (9, 11), (10, 10))),
    "feature/wishlist-sharing": (1427, ((10, 13), (11, 11), (12, 10), (13, 15))),
    OPEN_BRANCH: (OPEN_PULL_REQUEST, ((12, 14), (13, 11))),
}
"""Pull request, and (working day from 0, hour) of each push."""
_RECENT = ((MAIN, 28.0), (MAIN, 25.0), (OPEN_BRANCH, 22.0), (MAIN, 20.0), (MAIN, 8.0), (MAIN, 4.0), (OPEN_BRANCH, 1.5))
"""Branch and hours before now of the last pushes."""


def pushes(random: Random, now: datetime) -> tuple[Push, ...]:
    """Every push and nightly run, oldest first; the last one is of the open pull request.

    Any 21 days hold 15 working days, so the history has the same pushes whatever weekday it is made on.
    """
    planned = sorted((*_planned(random, now), *_recent(now), *_nights(now)))
    found: list[Push] = []
    on_main = _sha(random)
    for at, branch, event in planned:
        sha = on_main if event == "schedule" else _sha(random)  # the night tests what main is then
        on_main = sha if branch == MAIN else on_main
        pull_request = _BRANCHES[branch][0] if branch in _BRANCHES else None
        found.append(Push(len(found), at, branch, sha, event, pull_request))
    return tuple(found)


def _planned(random: Random, now: datetime) -> Iterator[tuple[datetime, str, str]]:
    days = _working_days(now)
    for number, day in enumerate(days):
        for hour in _MAIN_HOURS[number % _WEEK]:
            yield _at(random, day, hour), MAIN, "push"
    for branch, (pull_request, times) in _BRANCHES.items():
        for number, hour in times:
            yield _at(random, days[number], hour), branch, "pull_request" if pull_request else "push"


def _recent(now: datetime) -> Iterator[tuple[datetime, str, str]]:
    for branch, hours in _RECENT:
        yield now - timedelta(hours=hours), branch, "push" if branch == MAIN else "pull_request"


def _nights(now: datetime) -> Iterator[tuple[datetime, str, str]]:
    for day in _working_days(now):
        yield day + timedelta(hours=_NIGHT_HOUR), MAIN, "schedule"


def _working_days(now: datetime) -> list[datetime]:
    """Midnights of the working days, oldest first."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight - timedelta(days=ago) for ago in range(_DAYS + _LAST_PLANNED_DAY - 1, _LAST_PLANNED_DAY - 1, -1)]
    return [day for day in days if day.weekday() < _SATURDAY]


def _at(random: Random, day: datetime, hour: int) -> datetime:
    return day + timedelta(hours=hour, minutes=random.randrange(_JITTER_MINUTES), seconds=random.randrange(60))


def _sha(random: Random) -> str:
    return f"{random.getrandbits(_SHA_BITS):040x}"

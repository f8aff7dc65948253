"""What a list shows, read from the address: filters, order, page. Pure; odd values fall back, never fail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self

from flakeguard.analysis.model import Verdict

PAGE_SIZE = 50
EXPORT_LIMIT = 10_000
LONGEST_SEARCH = 200
_LAST_PAGE = 10_000

type Direction = Literal["asc", "desc"]
type Query = Mapping[str, str]

NEEDS_ATTENTION = (Verdict.FLAKY, Verdict.SUSPECTED, Verdict.BROKEN, Verdict.RECOVERING)
"""What the project page shows unless asked otherwise."""

TEST_SORTS = ("score", "rate", "failures", "failed", "duration", "verdict", "name")
RUN_STATUSES = ("failed", "passed", "flaky", "outage")
TREND_DAYS = 30


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `number` counts from 1."""

    number: int
    total: int = 0
    size: int = PAGE_SIZE

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.number - 1) * self.size

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """Number of the first row shown, from 1."""
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        """Number of the last row shown."""
        return min(self.offset + self.size, self.total)


@dataclass(frozen=True, slots=True)
class TestFilter:
    """Which tests of a project, in which order.

    Attributes:
        search: words that file, suite, class or name hold; "" for all.
        verdict: one verdict, `any`, or "" for those that need attention.
        branch: tests that failed on this branch; "" for all.
        suite: tests of this suite; "" for all.
        variant: tests of this variant; "" for all.
        days: tests that failed in the last so many days; None for all.
        sort: one of TEST_SORTS.
        direction: asc or desc.
        page: from 1.
    """

    search: str = ""
    verdict: str = ""
    branch: str = ""
    suite: str = ""
    variant: str = ""
    days: int | None = None
    sort: str = "score"
    direction: Direction = "desc"
    page: int = 1

    @classmethod
    def read(cls, query: Query) -> Self:
        """The filter that a query string asks for."""
        verdict = query.get("verdict", "")
        sort = query.get("sort", "score")
        sort = sort if sort in TEST_SORTS else "score"
        return cls(
            search=text_of(query, "q"),
            verdict=verdict if verdict in {*Verdict, "any"} else "",
            branch=text_of(query, "branch"),
            suite=text_of(query, "suite"),
            variant=text_of(query, "variant"),
            days=_number(query, "days", largest=365),
            sort=sort,
            direction=direction_of(query, default="asc" if sort == "name" else "desc"),
            page=_number(query, "page", largest=_LAST_PAGE) or 1,
        )

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts to show."""
        if self.verdict == "any":
            return tuple(Verdict)
        return (Verdict(self.verdict),) if self.verdict else NEEDS_ATTENTION

    @property
    def narrowed(self) -> bool:
        """Whether anything but the verdict is asked for."""
        return bool(self.search or self.branch or self.suite or self.variant or self.days)

    def since(self, now: datetime) -> datetime | None:
        """The time after which a test must have failed."""
        return now - timedelta(days=self.days) if self.days else None


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs of a project, newest first. `sha` matches from the start of the commit's id."""

    branch: str = ""
    sha: str = ""
    status: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: Query) -> Self:
        """The filter that a query string asks for."""
        status = query.get("status", "")
        return cls(
            branch=text_of(query, "branch"),
            sha=text_of(query, "sha"),
            status=status if status in RUN_STATUSES else "",
            page=_number(query, "page", largest=_LAST_PAGE) or 1,
        )

    @property
    def narrowed(self) -> bool:
        """Whether not all runs are asked for."""
        return bool(self.branch or self.sha or self.status)


def page_number(query: Query) -> int:
    """The page that a query string asks for, 1 when it does not say."""
    return _number(query, "page", largest=_LAST_PAGE) or 1


def like_pattern(text: str) -> str:
    """`text` as an ILIKE pattern that finds it anywhere; words may have anything between them."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{'%'.join(escaped.split())}%"


def text_of(query: Query, name: str) -> str:
    """A word that a query string gives, "" when it does not."""
    return query.get(name, "").replace("\0", "").strip()[:LONGEST_SEARCH]


def _number(query: Query, name: str, *, largest: int) -> int | None:
    text = query.get(name, "")
    value = int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else 0  # noqa: PLR2004 -- far beyond any
    return value if 1 <= value <= largest else None


def direction_of(query: Query, *, default: Direction) -> Direction:
    """The direction that a query string asks for."""
    match query.get("dir"):
        case "asc":
            return "asc"
        case "desc":
            return "desc"
        case _:
            return default

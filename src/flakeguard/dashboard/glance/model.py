"""What a list of projects shows of each, and which list an address asks for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from flakeguard.dashboard.listing import Direction, Query, direction_of, page_number, text_of

PROJECT_SORTS = ("trouble", "name", "broken", "flaky", "suspected", "latest")
MANY_PROJECTS = 8
"""From so many on, a list can be searched."""

type Status = Literal["passed", "failed", "flaky", "outage"]


@dataclass(frozen=True, slots=True)
class CommitState:
    """A commit of the default branch. Of each job, the newest run counts.

    Attributes:
        at: when its newest run was executed.
        run_id: the newest of the runs that are worst.
        jobs: how many there are; `failed`, `flaked` and `outages` count among them. One that failed, and passed when
            it was run again, is flaked.
    """

    sha: str
    at: datetime
    run_id: int
    jobs: int
    failed: int
    flaked: int
    outages: int

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> Self:
        """From JSON as PostgreSQL builds it."""
        return cls(**(dict(fields) | {"at": datetime.fromisoformat(str(fields["at"]))}))  # type: ignore[arg-type]

    @property
    def status(self) -> Status:
        """The worst of its jobs; that everything failed in an outage says least about the commit."""
        if self.failed:
            return "failed"
        if self.outages:
            return "outage"
        return "flaky" if self.flaked else "passed"


@dataclass(frozen=True, slots=True)
class ProjectAtAGlance:
    """A row of the list.

    Attributes:
        commits: the newest of the default branch, newest first; none when nothing ran on it.
        last_result_at: when a run of any branch was executed last; None before the first.
        upload_state: of the last upload, while there is no result: `accepted`, `stored`, `failed`; else None.
        repository: of GitHub, whose results come here, while there are none.
    """

    id: int
    organization_id: int
    name: str
    default_branch: str
    flaky: int
    broken: int
    suspected: int
    last_result_at: datetime | None
    commits: tuple[CommitState, ...]
    upload_state: str | None
    repository: str | None

    @property
    def head(self) -> CommitState | None:
        """The default branch's newest commit that has results."""
        return self.commits[0] if self.commits else None


@dataclass(frozen=True, slots=True)
class ProjectFilter:
    """Which projects, in which order. `search` holds words of their names; "" for all. `page` counts from 1."""

    search: str = ""
    sort: str = "trouble"
    direction: Direction = "desc"
    page: int = 1

    @classmethod
    def read(cls, query: Query) -> Self:
        """The filter that a query string asks for; odd values fall back."""
        sort = query.get("sort", "trouble")
        sort = sort if sort in PROJECT_SORTS else "trouble"
        direction = direction_of(query, default="asc" if sort == "name" else "desc")
        return cls(text_of(query, "q"), sort, direction, page_number(query))

"""Reads the list of projects, as the signed-in user, in the page's one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from flakeguard.dashboard.glance.model import CommitState, ProjectAtAGlance, ProjectFilter
from flakeguard.dashboard.listing import Page, like_pattern
from flakeguard.dashboard.paging import find_page
from fluxbase.db import Connection, fetch_page, load

_SQL = load(__package__)
HISTORY_COMMITS = 12
QUIET_DAYS = 30
"""A project without results for so long is no trouble any more; verdicts look as far back."""


@dataclass(frozen=True, slots=True)
class Glance:
    """A page of projects. `troubled` counts those of all pages that want somebody to look."""

    projects: tuple[ProjectAtAGlance, ...]
    page: Page
    troubled: int


async def glance(
    connection: Connection, organization_ids: Sequence[int], wanted: ProjectFilter, now: datetime
) -> Glance:
    """The projects of these organizations that `wanted` describes."""
    rows, page = await find_page(
        wanted.page,
        lambda page: fetch_page(
            connection,
            _SQL["glance"],
            organization_ids,
            like_pattern(wanted.search) if wanted.search else None,
            now - timedelta(days=QUIET_DAYS),
            wanted.sort,
            wanted.direction == "desc",
            HISTORY_COMMITS,
            limit=page.size,
            offset=page.offset,
        ),
    )
    return Glance(tuple(_project(row) for row in rows), page, rows[0]["troubled"] if rows else 0)


def _project(row: asyncpg.Record) -> ProjectAtAGlance:
    fields = {name: value for name, value in row.items() if name not in ("commits", "total", "troubled")}
    return ProjectAtAGlance(commits=tuple(CommitState.read(commit) for commit in row["commits"]), **fields)

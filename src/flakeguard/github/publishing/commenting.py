"""The one comment of a pull request: made when there is something to say, then kept up to date."""

import hashlib
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

import structlog

from flakeguard.github.errors import LockedError
from flakeguard.github.publishing.model import Commit
from flakeguard.github.publishing.poster import Poster
from flakeguard.github.publishing.rendering import MARKER, render_comment
from flakeguard.github.publishing.repository import SQL, Target
from fluxbase.db import Connection

logger = structlog.get_logger(__name__)

_DIGEST_BYTES = 16


class Comments(StrEnum):
    """When a pull request gets a comment. One that is there is kept up to date unless `never`."""

    FAILURES = "failures"
    ALWAYS = "always"
    NEVER = "never"


async def post_comments(
    connection: Connection,
    poster: Poster,
    target: Target,
    commit: Commit,
    named: Collection[int],
    *,
    comments: Comments,
    afresh: bool,
    now: datetime,
) -> int:
    """Bring the comments of the commit's pull requests up to date; how many requests changed one.

    A pull request that has moved on to another commit is left alone: what is late must not hide what is newer. So is
    one whose conversation is locked.
    `named` are the pull requests that the runs name.
    """
    if comments is Comments.NEVER:
        return 0
    silent = comments is Comments.FAILURES and not commit.failures
    sent = 0
    for pr_number in sorted(await _pulls(connection, poster, target, named, silent=silent)):
        await connection.execute(SQL["lock"], f"flakeguard comment {target.repository_id}:{pr_number}")
        if not await connection.fetchval(SQL["pull_moved_on"], target.repository_id, pr_number, target.sha):
            try:
                sent += await _post(
                    connection, poster, target, commit, pr_number, silent=silent, afresh=afresh, now=now
                )
            except LockedError:
                logger.info("pull request is locked", repository=target.full_name, pr_number=pr_number)
    return sent


async def _pulls(
    connection: Connection, poster: Poster, target: Target, named: Collection[int], *, silent: bool
) -> set[int]:
    """Those whose head the commit is. Webhooks tell; where they did not, GitHub is asked: runs of forks name none."""
    found = {row[0] for row in await connection.fetch(SQL["pulls_of_commit"], target.repository_id, target.sha)}
    by_runs = await connection.fetch(SQL["pulls_of_runs"], target.repository_id, target.sha)
    claimed = {row[0] for row in by_runs} | set(named)
    told = {row[0] for row in await connection.fetch(SQL["known_pulls"], target.repository_id, list(claimed))}
    if claimed - told or not (found or silent):
        found |= set(await poster.open_pulls(target.sha))
    return found


async def _post(
    connection: Connection,
    poster: Poster,
    target: Target,
    commit: Commit,
    pr_number: int,
    *,
    silent: bool,
    afresh: bool,
    now: datetime,
) -> bool:
    row = await connection.fetchrow(SQL["comment"], target.repository_id, pr_number)
    body = render_comment(commit)
    digest = _hashed(body) + _news(commit)
    if (row is None and silent) or (row is not None and row["digest"] == digest and not afresh):
        return False
    comment_id: int | None = row["comment_id"] if row is not None else None
    if comment_id is None and (row is None or afresh):
        comment_id = await poster.find_comment(pr_number, MARKER)
    if comment_id is not None and not await poster.update_comment(comment_id, body):
        comment_id = None
    elif comment_id is None and row is None:
        comment_id = await poster.create_comment(pr_number, body)
    if comment_id is None and commit.failing and (row is None or row["digest"][_DIGEST_BYTES:] != _news(commit)):
        # A person deleted it. They did not know of this.
        comment_id = await poster.create_comment(pr_number, body)
    await connection.execute(SQL["save_comment"], target.repository_id, pr_number, comment_id, digest, now)
    return comment_id is not None


def _news(commit: Commit) -> bytes:
    """Which tests fail, and whose they are: what would be worth a comment to somebody who deleted one."""
    return _hashed(" ".join(sorted(f"{failure.test_case_id}:{failure.answer}" for failure in commit.failing)))


def _hashed(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()

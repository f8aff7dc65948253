"""Say at GitHub what is known of a commit: one publication of a commit at a time, and what is known then is said."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

import structlog

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.turns import turn
from flakeguard.github.errors import NoSuchCommitError
from flakeguard.github.publishing.checking import post_check_run
from flakeguard.github.publishing.commenting import Comments, post_comments
from flakeguard.github.publishing.poster import Poster
from flakeguard.github.publishing.rendering import render_check_run
from flakeguard.github.publishing.repository import SQL, Target, find_target, gather
from flakeguard.worker.outbox import settle
from fluxbase.db import Connection, Database

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Manner:
    """How it is said.

    Attributes:
        public_url: of our pages, for links; None for none.
        comments: when pull requests get a comment.
        handled: identifiers of the check run's buttons that somebody answers.
    """

    public_url: str | None
    comments: Comments
    handled: AbstractSet[str]


@dataclass(frozen=True, slots=True)
class Published:
    """What was sent; `conclusion` is None when nothing is known or may be said."""

    conclusion: str | None = None
    check_run_sent: bool = False
    comments_sent: int = 0


async def publish(
    database: Database,
    poster_for: Callable[[Target], Poster],
    repository_id: int,
    sha: str,
    *,
    job_id: str,
    afresh: bool,
    manner: Manner,
    config: AnalysisConfig,
    now: Callable[[], datetime],
) -> Published:
    """Bring check run and comments of a commit to what is known now, and settle the job. Safe to repeat.

    The turn lasts while GitHub is spoken to, so what was read later is also said later; who dies with it lets go of it.

    `afresh` says that the job was begun before: it may have died between sending and recording.

    Raises:
        BusyProjectError: Others published this commit for ten minutes.
        flakeguard.github.errors: GitHub is away, limits us, or refuses.
    """
    async with turn(database, "lock", f"flakeguard publishing {repository_id}:{sha}", queries=SQL) as connection:
        target = await find_target(connection, repository_id, sha)
        said = Published()
        if target is not None:
            try:
                said = await _say(connection, poster_for, target, afresh=afresh, manner=manner, config=config, now=now)
            except NoSuchCommitError:  # uploads tell of commits that were never pushed: another CI merges by itself
                logger.info("commit is not at GitHub", repository=target.full_name, sha=sha)
        await settle(connection, job_id)
    logger.info(
        "commit published", repository_id=repository_id, sha=sha, conclusion=said.conclusion,
        check_run_sent=said.check_run_sent, comments_sent=said.comments_sent,
    )  # fmt: skip
    return said


async def _say(
    connection: Connection,
    poster_for: Callable[[Target], Poster],
    target: Target,
    *,
    afresh: bool,
    manner: Manner,
    config: AnalysisConfig,
    now: Callable[[], datetime],
) -> Published:
    gathered = await gather(connection, target, public_url=manner.public_url, config=config, now=now())
    commit = gathered.commit
    if not commit.runs:
        return Published()
    poster = poster_for(target)
    check_run = render_check_run(commit, handled=manner.handled)
    sent = await post_check_run(connection, poster, target, check_run, afresh=afresh, now=now())
    comments = await post_comments(
        connection, poster, target, commit, gathered.pr_numbers,
        comments=manner.comments, afresh=afresh, now=now(),
    )  # fmt: skip
    return Published(str(check_run.conclusion), sent, comments)

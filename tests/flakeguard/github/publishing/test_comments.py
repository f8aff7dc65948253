"""The one comment of each pull request: when it is made, and that it is of the newest commit."""

import pytest

from flakeguard.github.errors import GitHubRefusedError
from flakeguard.github.publishing.commenting import Comments

from ...uploads import FAIL, PASS
from ..conftest import SHA
from .conftest import MAKE_COMMENT, Place

OTHER = "b" * 40


async def test_a_comment_appears_only_when_something_fails_unless_wanted(place: Place) -> None:
    await place.pull(12)
    await place.results({"a": PASS})
    await place.publish()
    assert place.comments == []
    await place.publish(comments=Comments.ALWAYS)
    assert "Nothing failed" in place.comment
    await place.results({"a": FAIL}, job_name="x")
    before = place.comment
    await place.publish(comments=Comments.NEVER)
    assert place.comment == before


async def test_a_deleted_comment_comes_back_only_with_news(place: Place) -> None:
    await place.pull(12)
    await place.results({"a": FAIL})
    await place.publish()
    place.shop.comments.clear()
    await place.results({"b": PASS}, job_name="more")  # another text, the same failures
    await place.publish()
    assert place.comments == []
    await place.results({"c": FAIL}, job_name="news")
    await place.publish()
    assert "<code>c</code>" in place.comment


async def test_all_pull_requests_of_a_commit_and_none_that_moved_on(place: Place) -> None:
    await place.pull(12)
    await place.pull(13)
    await place.pull(14, OTHER)
    await place.pull(15, is_open=False)
    await place.results({"a": FAIL}, pr_number=14)
    await place.publish()
    assert sorted(one["issue"] for one in place.comments) == [12, 13]


async def test_a_fork_names_no_pull_request_so_github_is_asked(place: Place) -> None:
    place.github.add_pull(place.shop, 21, SHA)
    await place.results({"a": FAIL})
    await place.publish()
    assert [one["issue"] for one in place.comments] == [21]


async def test_what_is_late_does_not_hide_what_is_newer(place: Place) -> None:
    """The pull request's older commit is analysed after its newer one."""
    await place.pull(12, OTHER)
    await place.results({"a": FAIL}, sha=OTHER)
    await place.publish(OTHER)
    newer = place.comment
    await place.results({"a": FAIL, "b": FAIL}, github_run_id="78")
    await place.publish(SHA)
    assert place.comment == newer


async def test_a_locked_conversation_is_left_alone_until_it_is_open_again(place: Place) -> None:
    """Nobody has to do anything about it: it is no failure of the job, and the check run says all of it."""
    await place.pull(12)
    await place.results({"a": FAIL})
    locked = {"message": "Unable to create comment because issue is locked."}
    place.github.fail(MAKE_COMMENT, status=403, body=locked)
    said = await place.publish()
    assert (said.check_run_sent, said.comments_sent, place.comments) == (True, 0, [])
    assert await place.owner.fetchval("SELECT count(*) FROM github_check_runs") == 1
    assert (await place.publish()).comments_sent == 1
    assert "<code>a</code>" in place.comment


async def test_who_may_not_comment_is_told(place: Place) -> None:
    await place.pull(12)
    await place.results({"a": FAIL})
    place.github.fail(MAKE_COMMENT, status=403, body={"message": "Resource not accessible by integration"})
    with pytest.raises(GitHubRefusedError, match="permission"):
        await place.publish()

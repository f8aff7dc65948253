"""Publications of one commit: one after another, and each safe to repeat wherever it was cut short."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from tests.github import faults

from flakeguard.github.api.posting import RepositoryPoster
from flakeguard.github.errors import GitHubAwayError

from ...uploads import FAIL
from .conftest import CHANGE_CHECK_RUN, MAKE_CHECK_RUN, MAKE_COMMENT, Place


@pytest.mark.parametrize("last", [MAKE_CHECK_RUN, MAKE_COMMENT])
async def test_ended_between_sending_and_recording(place: Place, last: str) -> None:
    await place.pull(12)
    await place.results({"a": FAIL})
    place.github.faults.on(last, faults.cut(after=True))  # GitHub did it, and nobody here heard of that
    with pytest.raises(GitHubAwayError):
        await place.publish()
    await place.publish(afresh=True)
    assert len(place.shop.check_runs) == len(place.comments) == 1
    assert not (await place.publish()).check_run_sent


async def test_two_publications_of_a_commit_follow_each_other_and_the_newer_state_stays(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, asking = asyncio.Event(), asyncio.Event()
    change = RepositoryPoster.update_check_run

    async def slowly(poster: RepositoryPoster, check_run_id: int, body: Mapping[str, Any]) -> bool:
        if not asking.is_set():  # the first one alone
            asking.set()
            await go.wait()
        return await change(poster, check_run_id, body)

    monkeypatch.setattr(RepositoryPoster, "update_check_run", slowly)
    await place.results({"a": FAIL})
    await place.publish()
    await place.results({"b": FAIL}, job_name="second")
    older = asyncio.create_task(place.publish())  # has read two jobs, and waits for GitHub
    await asking.wait()
    await place.results({"c": FAIL}, job_name="third")
    newer = asyncio.create_task(place.publish())
    await asyncio.wait({newer}, timeout=0.5)  # as far as it gets: without turns it would be done by now
    go.set()
    await asyncio.gather(older, newer)
    assert "in 3 jobs" in place.check_run["output"]["summary"]
    assert place.asked(CHANGE_CHECK_RUN) == 2

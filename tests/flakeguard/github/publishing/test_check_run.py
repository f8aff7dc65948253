"""The check run of real runs in a real database, at GitHub."""

from flakeguard.github.publishing.publishing import Published

from ...uploads import FAIL, PASS, data
from ..conftest import SHA
from .conftest import MAKE_CHECK_RUN, MAKE_COMMENT, Place


async def base(place: Place) -> None:
    """Main has passed often."""
    for number in range(6):
        await place.results({"a": PASS, "b": PASS}, sha=f"{number}" * 40, branch="main", github_run_id=str(number))


async def test_a_failure_says_what_its_run_page_says(place: Place) -> None:
    await base(place)
    await place.pull(12)
    await place.results({"a": FAIL, "b": PASS})
    said = await place.publish()
    assert said.check_run_sent
    assert said.comments_sent == 1
    check = place.check_run
    async with place.resources.database.transaction() as connection:
        run = await connection.fetchval("SELECT id FROM test_runs WHERE sha = $1", SHA)
        test = await connection.fetchval("SELECT id FROM test_cases WHERE name = 'a'")
    answer = await place.client.get(
        f"/api/v1/projects/{place.tenant.project.id}/runs/{run}/explanation", headers=place.tenant.as_key
    )
    explained = data(answer, 200)
    assert check["output"]["title"] == explained["headline"]
    link = f"http://testserver/projects/{place.tenant.project.id}/runs/{run}#failure-{test}"
    assert link in check["output"]["summary"]
    assert link in place.comment
    assert explained["failures"][0]["reason"] in check["output"]["summary"]
    assert (check["head_sha"], check["status"], check["conclusion"]) == (SHA, "completed", said.conclusion)
    assert check["conclusion"] == ("action_required" if explained["failures"][0]["odds"]["yours"] >= 0.8 else "neutral")


async def test_more_jobs_update_the_same_check_run_and_comment(place: Place) -> None:
    await place.pull(12)
    await place.results({"a": PASS})
    assert (await place.publish()).conclusion == "success"
    assert place.comments == []
    await place.results({"a": FAIL}, job_name="windows")
    await place.publish()
    await place.results({"c": FAIL}, job_name="mac")
    await place.publish()
    assert "in 3 jobs" in place.check_run["output"]["summary"]
    assert "in 3 jobs" in place.comment
    assert place.asked(MAKE_CHECK_RUN) == place.asked(MAKE_COMMENT) == 1


async def test_of_a_commit_that_was_never_pushed_nothing_is_said(place: Place) -> None:
    """Another CI merges by itself and uploads results of what GitHub never saw: nobody is to be told there."""
    await place.results({"a": FAIL})
    place.github.fail("/check-runs$", status=422, body={"message": f"No commit found for SHA: {SHA}"})
    assert await place.publish() == Published()
    assert await place.owner.fetchval("SELECT count(*) FROM outbox WHERE job_id = 'analyze-run-1'") == 0


async def test_nothing_unchanged_is_sent(place: Place) -> None:
    await place.pull(12)
    await place.results({"a": FAIL})
    await place.publish()
    before = place.asked("")
    said = await place.publish()
    assert (said.check_run_sent, said.comments_sent) == (False, 0)
    assert place.asked("") == before


async def test_a_rerun_that_passes_turns_both_green(place: Place) -> None:
    await place.pull(12)
    await place.results({"a": FAIL})
    await place.publish()
    assert place.check_run["conclusion"] != "success"
    assert [action["identifier"] for action in place.check_run["actions"]] == ["rerun_failed"]
    await place.results({"a": PASS}, github_run_attempt=2)
    await place.publish()
    assert place.check_run["conclusion"] == "success"
    assert place.check_run["actions"] == []
    assert "passed on a rerun" in place.comment
    assert "| 100 % of 1 |" in place.check_run["output"]["text"]


async def test_a_deleted_check_run_is_made_again(place: Place) -> None:
    await place.results({"a": FAIL})
    await place.publish()
    place.shop.check_runs.clear()
    await place.results({"b": FAIL}, job_name="more")
    await place.publish()
    assert "0 of 2 tests passed in 2 jobs" in place.check_run["output"]["summary"]


async def test_a_known_flake_holds_nothing_up(place: Place) -> None:
    for number in range(6):
        await place.results({"a": [FAIL, PASS]}, sha=f"{number}" * 40, branch="main", github_run_id=str(number))
    await place.results({"a": FAIL, "b": PASS})
    assert (await place.publish()).conclusion == "neutral"
    output = place.check_run["output"]
    assert output["title"] == "The failure does not look like your change."
    assert "**[Known flake](" in output["summary"]
    assert "| 7 of 7 runs | 100 % of 6 |" in output["text"]
    assert [action["identifier"] for action in place.check_run["actions"]] == ["rerun_failed"]


async def test_an_unbound_or_removed_repository_hears_nothing(place: Place) -> None:
    await place.results({"a": FAIL})
    for statement in (
        "UPDATE github_installations SET suspended_at = now()",
        "UPDATE github_installations SET suspended_at = NULL, deleted_at = now()",
        "UPDATE github_repositories SET removed_at = now()",
    ):
        await place.owner.execute(statement)
        assert await place.publish() == Published()
    assert place.github.asked == []

"""From a run at GitHub to verdicts, exactly once, whatever dies in between."""

from contextlib import suppress
from datetime import timedelta

import pytest
from tests.github.fake import FakeGitHub, Repository

from flakeguard.github.api import GitHub
from flakeguard.github.artifacts.fetching import mark_failed
from flakeguard.github.errors import GitHubAwayError
from flakeguard.worker.errors import InvalidJobError
from fluxbase.resources import Resources

from ...uploads import PASS, report, zipped
from ..conftest import INSTALLATION, REPOSITORY
from .fetched import JUNIT, STARTED, at, carry_out, fetch, rows, wanted

pytestmark = pytest.mark.usefixtures("bound")


async def test_a_run_becomes_attempts_and_owes_its_publication(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.add_artifact(shop, 1000, "junit", JUNIT)
    fake.add_artifact(shop, 1000, "dist", b"x")
    told = await fetch(resources, github)
    assert told["state"] == "stored"
    assert told["passedOver"] == ["dist: not named like test results"]
    owed = await rows(resources, "SELECT priority FROM outbox WHERE name = 'process-upload'")
    assert owed == [("critical",)]  # before more runs are fetched
    await carry_out(resources)
    (run,) = await rows(
        resources, "SELECT repository, external_run_id, run_attempt, job, variant, tests, failed FROM test_runs"
    )
    assert run == ("acme/shop", "1000", 1, "unit", "linux-x64", 2, 1)
    assert await rows(resources, "SELECT state, conclusion FROM github_runs") == [("stored", "failure")]
    assert await rows(resources, "SELECT count(*) FROM github_run_ingestions") == [(1,)]
    (owed,) = await rows(resources, "SELECT name, correlation_id FROM outbox")
    assert owed == ("analyze-run", "hook")


@pytest.mark.parametrize("dies_after", range(6))
async def test_a_worker_may_die_between_any_two_steps(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub, monkeypatch: pytest.MonkeyPatch,
    dies_after: int,
) -> None:  # fmt: skip
    """Transactions that committed stay, the rest is gone: that is what SIGKILL leaves. Then the job runs again."""
    fake.add_artifact(shop, 1000, "junit-a", JUNIT)
    fake.add_artifact(shop, 1000, "junit-b", zipped({"b.xml": report({"ships": PASS})}))
    steps = 0

    class Killed(BaseException):
        pass

    real = type(resources.database).transaction

    def counted(*arguments, **named):
        nonlocal steps
        steps += 1
        if steps == dies_after + 1:
            raise Killed
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(type(resources.database), "transaction", counted)
        with suppress(Killed):
            await fetch(resources, github)
    assert steps >= dies_after
    await fetch(resources, github)
    await fetch(resources, github)  # and once more, though it was done
    await carry_out(resources)
    assert await rows(resources, "SELECT count(*) FROM ingestions") == [(2,)]
    assert await rows(resources, "SELECT count(*) FROM flake_events") == [(3,)]
    assert await rows(resources, "SELECT count(*) FROM github_run_ingestions") == [(2,)]
    assert await rows(resources, "SELECT count(*) FROM outbox WHERE queue = 'runs:ingest'") == [(0,)]


async def test_names_of_any_length_and_of_several_lines_lose_no_results(
    resources: Resources, fake: FakeGitHub, github: GitHub
) -> None:
    """A matrix may hold whole scripts, which GitHub puts into the job's name."""
    shop = fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    fake.add_run(shop, 1000, name="CI\t" + "w" * 600)
    fake.add_job(shop, 1000, "unit (make\nmake test)", completed_at=at(minutes=5))
    fake.add_artifact(shop, 1000, "junit", JUNIT)
    assert (await fetch(resources, github))["state"] == "stored"
    await carry_out(resources)
    ((workflow, job, variant),) = await rows(resources, "SELECT workflow, job, variant FROM test_runs")
    assert (workflow[:4], len(workflow), job, variant) == ("CI w", 500, "unit", "linux-x64, make make test")


async def test_legs_of_a_matrix_with_long_values_stay_two(
    resources: Resources, fake: FakeGitHub, github: GitHub
) -> None:
    shop = fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    fake.add_run(shop, 1000)
    for minutes, version in ((5, "3.12"), (6, "3.13")):
        fake.add_job(shop, 1000, f"unit ({'make ' * 120}, {version})", completed_at=at(minutes=minutes))
        fake.add_artifact(shop, 1000, f"junit-unit-{version}", JUNIT)
    await fetch(resources, github)
    await carry_out(resources)
    told = await rows(resources, "SELECT job, variant, completed_at FROM test_runs ORDER BY completed_at")
    assert [job for job, _, _ in told] == ["unit", "unit"]
    assert len({variant for _, variant, _ in told}) == 2
    assert all(len(variant) <= 500 for _, variant, _ in told)
    assert [ended for _, _, ended in told] == [STARTED + timedelta(minutes=5), STARTED + timedelta(minutes=6)]


async def test_a_reruns_artifacts_are_told_from_the_first_attempts(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.add_artifact(shop, 1000, "junit", JUNIT)
    fake.add_artifact(shop, 1000, "junit ", zipped({"b.xml": report({"adds": PASS})}), created_at=at(minutes=61))
    shop.runs[1000] |= {"run_attempt": 2, "run_started_at": at(hours=1)}
    await fetch(resources, github, wanted(attempt=1))
    await fetch(resources, github, wanted(attempt=2))
    await carry_out(resources)
    assert await rows(resources, "SELECT run_attempt, tests FROM test_runs ORDER BY 1") == [(1, 2), (2, 1)]
    flaky = "SELECT c.name FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id WHERE s.verdict = 'flaky'"
    assert await rows(resources, flaky) == [("adds",)]


async def test_an_attempt_in_between_that_nobody_told_of_has_its_own_artifacts(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    for number, created_at in ((1, at()), (2, at(minutes=61)), (3, at(minutes=121))):
        packed = zipped({"r.xml": report({f"in_{number}": PASS})})
        fake.add_artifact(shop, 1000, f"junit-{number}", packed, created_at=created_at)
    shop.runs[1000] |= {"run_attempt": 3, "run_started_at": at(hours=2)}
    shop.earlier[1000, 2] = {"run_started_at": at(hours=1)}
    for attempt in (1, 2, 3):
        await fetch(resources, github, wanted(attempt=attempt))
    await carry_out(resources)
    stored = await rows(
        resources,
        "SELECT r.run_attempt, c.name FROM flake_events e JOIN test_runs r ON r.id = e.run_id"
        " JOIN test_cases c ON c.id = e.test_case_id ORDER BY 1",
    )
    assert stored == [(1, "in_1"), (2, "in_2"), (3, "in_3")]


async def test_a_run_under_way_is_left_to_whoever_hears_of_its_end(
    resources: Resources, shop: Repository, github: GitHub
) -> None:
    shop.runs[1000] |= {"status": "in_progress", "conclusion": None}
    assert await fetch(resources, github) == {"state": "under way"}
    assert await rows(resources, "SELECT 1 FROM outbox") == []


async def test_an_end_that_github_does_not_show_yet_is_waited_for(
    resources: Resources, shop: Repository, github: GitHub
) -> None:
    shop.runs[1000] |= {"status": "in_progress", "conclusion": None}
    await rows(
        resources,
        "INSERT INTO github_runs (repository_id, workflow_run_id, run_attempt, head_sha, status, state)"
        f" VALUES ({REPOSITORY}, 1000, 1, '{'a' * 40}', 'completed', 'owed') RETURNING 1",
    )
    for data in (wanted(), wanted(attempt=2)):
        with pytest.raises(GitHubAwayError, match="does not show it yet"):
            await fetch(resources, github, data)
    assert len(await rows(resources, "SELECT 1 FROM outbox")) == 1  # still owed: nobody hears of its end again


async def test_what_is_not_bound_is_not_fetched(resources: Resources, fake: FakeGitHub, github: GitHub) -> None:
    for data in (wanted(repo="other"), wanted(installation=1)):
        with pytest.raises(InvalidJobError, match="no bound installation"):
            await fetch(resources, github, data)
    await rows(resources, "UPDATE github_repositories SET project_id = NULL RETURNING 1")
    with pytest.raises(InvalidJobError, match="choose one"):
        await fetch(resources, github)
    assert fake.asked == []


async def test_a_repository_that_was_renamed_meanwhile_is_found_by_its_id(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.add_artifact(shop, 1000, "junit", JUNIT)
    by_id = wanted(repositoryId=REPOSITORY)
    await fetch(resources, github, by_id)
    shop.full_name = "acme/store"
    await rows(resources, "UPDATE github_repositories SET full_name = 'acme/store' RETURNING 1")
    assert (await fetch(resources, github, by_id))["state"] == "stored"
    assert await rows(resources, "SELECT count(*) FROM ingestions") == [(1,)]  # what was fetched before is the same
    async with resources.database.transaction() as connection:
        await mark_failed(connection, by_id)
    assert await rows(resources, "SELECT state FROM github_runs") == [("failed",)]
    with pytest.raises(InvalidJobError, match="no bound installation"):  # the name alone is nobody's any more
        await fetch(resources, github)
    with pytest.raises(InvalidJobError, match="no bound installation"):  # nor does an id reach another's repository
        await fetch(resources, github, wanted(installation=1, repositoryId=REPOSITORY))


async def test_a_run_that_names_no_attempt_is_marked_at_its_latest(
    resources: Resources, shop: Repository, github: GitHub
) -> None:
    for attempt in (1, 2):
        shop.runs[1000]["run_attempt"] = attempt
        await fetch(resources, github, wanted(attempt))
    data = wanted().model_copy(update={"run_attempt": None})
    async with resources.database.transaction() as connection:
        await mark_failed(connection, data)
    assert await rows(resources, "SELECT run_attempt, state FROM github_runs ORDER BY 1") == [
        (1, "empty"), (2, "failed"),
    ]  # fmt: skip
    unknown = data.model_copy(update={"workflow_run_id": 7})
    async with resources.database.transaction() as connection:
        await mark_failed(connection, unknown)  # nothing is known of it, and nothing is to be marked

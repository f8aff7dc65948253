"""Check runs and comments of real runs in a real database, posted on paper."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from prometheus_client import CollectorRegistry

from flakeguard.analysis.settings import analysis_config
from flakeguard.github.publishing.commenting import Comments
from flakeguard.github.publishing.owing import owe_publication
from flakeguard.github.publishing.processing import Publishing, analyze_run
from flakeguard.github.publishing.publishing import Manner, Published, publish
from flakeguard.github.publishing.settings import manner_of
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import runner
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.processors import processors
from fluxbase.resources import Resources

from ...conftest import Tenant
from ...uploads import FAIL, PASS, data, report, upload
from .paper import Killed, Paper

SHA, OTHER = "a" * 40, "b" * 40
INSTALLATION, REPOSITORY = 7, 70


@dataclass
class Place:
    """A bound repository, and what it takes to publish there."""

    client: httpx.AsyncClient
    tenant: Tenant
    resources: Resources
    settings: FlakeGuardSettings
    owner: Any
    paper: Paper = field(default_factory=Paper)

    async def results(self, tests: dict, *, sha: str = SHA, **meta: Any) -> str:
        facts = {"repo_full_name": "acme/shop", "branch": "fix", "github_run_id": "77", "workflow_name": "CI"}
        facts |= {"sha": sha, "provider": "github"} | meta
        answer = await upload(self.client, self.tenant.as_key, report(tests, class_name="tests.cart"), **facts)
        assert data(answer)["state"] == "analyzed", answer.text
        return data(answer)["ingestion_id"]

    async def publish(
        self, sha: str = SHA, *, afresh: bool = False, comments: Comments = Comments.FAILURES
    ) -> Published:
        return await publish(
            self.resources.database, lambda _target: self.paper, REPOSITORY, sha,
            job_id="analyze-run-1", afresh=afresh, now=self.resources.now, config=analysis_config(self.settings),
            manner=Manner("http://testserver", comments, frozenset({"rerun_failed"})),
        )  # fmt: skip

    async def pull(self, number: int, sha: str = SHA, *, is_open: bool = True) -> None:
        await self.owner.execute(
            "INSERT INTO github_pulls VALUES ($1, $2, $3, $4, now()) ON CONFLICT (repository_id, pr_number)"
            " DO UPDATE SET head_sha = $3, open = $4",
            REPOSITORY, number, sha, is_open,
        )  # fmt: skip

    @property
    def publishing(self) -> Publishing:
        return Publishing(lambda _target: self.paper, manner_of(self.settings))

    @property
    def check_run(self) -> dict[str, Any]:
        (only,) = self.paper.check_runs.values()
        return only

    @property
    def comment(self) -> str:
        ((_, body),) = self.paper.comments.values()
        return body


@pytest.fixture
async def place(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings, worker: None,
    owner: "asyncpg.Connection[asyncpg.Record]",
) -> Place:  # fmt: skip
    return await bound(Place(client, tenant, resources, settings, owner))


async def bound(place: Place) -> Place:
    """The repository belongs to an installation that the tenant's organisation is bound to."""
    project = place.tenant.project.id
    organization = await place.owner.fetchval("SELECT organization_id FROM projects WHERE id = $1", project)
    await place.owner.execute(
        "INSERT INTO github_installations (id, account_id, account_login, organization_id) VALUES ($1, 1, 'acme', $2)",
        INSTALLATION, organization,
    )  # fmt: skip
    await place.owner.execute(
        "INSERT INTO github_repositories (id, installation_id, organization_id, full_name, project_id)"
        " VALUES ($1, $2, $3, 'acme/shop', $4)",
        REPOSITORY, INSTALLATION, organization, project,
    )  # fmt: skip
    return place


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
    assert place.paper.comments == {}
    await place.results({"a": FAIL}, job_name="windows")
    await place.publish()
    await place.results({"c": FAIL}, job_name="mac")
    await place.publish()
    assert "in 3 jobs" in place.check_run["output"]["summary"]
    assert "in 3 jobs" in place.comment
    assert place.paper.asked.count("create_check_run") == place.paper.asked.count("create_comment") == 1


async def test_nothing_unchanged_is_sent(place: Place) -> None:
    await place.pull(12)
    await place.results({"a": FAIL})
    await place.publish()
    before = list(place.paper.asked)
    said = await place.publish()
    assert (said.check_run_sent, said.comments_sent) == (False, 0)
    assert place.paper.asked == before


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


async def test_a_comment_appears_only_when_something_fails_unless_wanted(place: Place) -> None:
    await place.pull(12)
    await place.results({"a": PASS})
    await place.publish()
    assert place.paper.comments == {}
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
    place.paper.comments.clear()
    await place.results({"b": PASS}, job_name="more")  # another text, the same failures
    await place.publish()
    assert place.paper.comments == {}
    await place.results({"c": FAIL}, job_name="news")
    await place.publish()
    assert "<code>c</code>" in place.comment


async def test_a_deleted_check_run_is_made_again(place: Place) -> None:
    await place.results({"a": FAIL})
    await place.publish()
    place.paper.check_runs.clear()
    await place.results({"b": FAIL}, job_name="more")
    await place.publish()
    assert "0 of 2 tests passed in 2 jobs" in place.check_run["output"]["summary"]


async def test_all_pull_requests_of_a_commit_and_none_that_moved_on(place: Place) -> None:
    await place.pull(12)
    await place.pull(13)
    await place.pull(14, OTHER)
    await place.pull(15, is_open=False)
    await place.results({"a": FAIL}, pr_number=14)
    await place.publish()
    assert sorted(pr for pr, _ in place.paper.comments.values()) == [12, 13]


async def test_a_fork_names_no_pull_request_so_github_is_asked(place: Place) -> None:
    place.paper.pulls[SHA] = [21]
    await place.results({"a": FAIL})
    await place.publish()
    assert [pr for pr, _ in place.paper.comments.values()] == [21]


async def test_what_is_late_does_not_hide_what_is_newer(place: Place) -> None:
    """The pull request's older commit is analysed after its newer one."""
    await place.pull(12, OTHER)
    await place.results({"a": FAIL}, sha=OTHER)
    await place.publish(OTHER)
    newer = place.comment
    await place.results({"a": FAIL, "b": FAIL}, github_run_id="78")
    await place.publish(SHA)
    assert place.comment == newer


@pytest.mark.parametrize("killed_after", ["create_check_run", "create_comment"])
async def test_killed_between_sending_and_recording(place: Place, killed_after: str) -> None:
    await place.pull(12)
    await place.results({"a": FAIL})
    place.paper.die_after = killed_after
    with pytest.raises(Killed):
        await place.publish()
    await place.publish(afresh=True)
    assert len(place.paper.check_runs) == len(place.paper.comments) == 1
    assert not (await place.publish()).check_run_sent


async def test_two_publications_of_a_commit_follow_each_other_and_the_newer_state_stays(place: Place) -> None:
    await place.results({"a": FAIL})
    await place.publish()
    await place.results({"b": FAIL}, job_name="second")
    hold = place.paper.pause = asyncio.Event()
    older = asyncio.create_task(place.publish())  # has read two jobs, and waits for GitHub
    await place.paper.paused.wait()
    await place.results({"c": FAIL}, job_name="third")
    newer = asyncio.create_task(place.publish())
    await asyncio.wait({newer}, timeout=0.5)  # as far as it gets: without turns it would be done by now
    hold.set()
    await asyncio.gather(older, newer)
    assert "in 3 jobs" in place.check_run["output"]["summary"]
    assert place.paper.asked.count("update_check_run") == 2


async def test_an_unbound_or_removed_repository_hears_nothing(place: Place) -> None:
    await place.results({"a": FAIL})
    for statement in (
        "UPDATE github_installations SET suspended_at = now()",
        "UPDATE github_installations SET suspended_at = NULL, deleted_at = now()",
        "UPDATE github_repositories SET removed_at = now()",
    ):
        await place.owner.execute(statement)
        assert await place.publish() == Published()
    assert place.paper.asked == []


async def owed(place: Place, ingestion_id: str) -> Any:
    async with place.resources.database.transaction() as connection:
        job_id = await owe_publication(connection, UUID(ingestion_id))
        return await connection.fetchrow("SELECT * FROM outbox WHERE job_id = $1", job_id)


async def test_a_plain_upload_owes_a_publication_where_its_organisation_is_bound(place: Place) -> None:
    row = await owed(place, await place.results({"a": FAIL}))
    assert (row["queue"], row["name"]) == ("runs:analyze", "analyze-run")
    assert row["data"]["headSha"] == SHA
    assert row["data"]["workflowRunId"] == 77
    assert row["data"]["repository"] == {
        "owner": "acme", "repo": "shop", "installationId": INSTALLATION, "repositoryId": REPOSITORY,
    }  # fmt: skip
    assert await owed(place, await place.results({"a": FAIL}, repo_full_name="acme/other", job_name="x")) is None
    assert await owed(place, await place.results({"a": FAIL}, sha="abc123", job_name="y")) is None


async def test_nobody_publishes_on_the_repository_of_another_organisation(place: Place, stranger: Tenant) -> None:
    claimed = Place(place.client, stranger, place.resources, place.settings, place.owner, place.paper)
    assert await owed(claimed, await claimed.results({"evil": FAIL})) is None
    await place.results({"a": PASS})
    await place.publish()
    assert place.check_run["conclusion"] == "success"
    assert "evil" not in place.check_run["output"]["summary"]


async def analyze(place: Place, data: dict) -> Any:
    return await analyze_run(
        place.resources.database, place.publishing, "analyze-run", data,
        job_id="analyze-run-1", afresh=False, now=place.resources.now, config=analysis_config(place.settings),
    )  # fmt: skip


async def test_the_documents_job_finds_its_commit_and_judges_again(place: Place) -> None:
    ingestion_id = await place.results({"a": FAIL, "b": PASS})
    job = {"workflowRunId": 77, "repository": {"owner": "Acme", "repo": "shop", "installationId": INSTALLATION}}
    assert await analyze(place, job) == {"published": False, "reason": "no such run is known"}
    await place.owner.execute(
        "INSERT INTO github_runs (repository_id, workflow_run_id, head_sha) VALUES ($1, 77, $2)", REPOSITORY, SHA
    )
    await place.owner.execute("INSERT INTO github_run_ingestions VALUES ($1, 77, 1, $2)", REPOSITORY, ingestion_id)
    before = await place.owner.fetch("SELECT lifetime_runs, lifetime_failures FROM flake_stats ORDER BY 1, 2")
    said = await analyze(place, job | {"forceRecompute": True, "analysisConfig": {"lookbackDays": 7}})
    assert said == {"testsAnalyzed": 2, "conclusion": "neutral", "checkRunSent": True, "commentsSent": 0}
    assert await place.owner.fetch("SELECT lifetime_runs, lifetime_failures FROM flake_stats ORDER BY 1, 2") == before
    # Nothing has changed, and who asked for the check anew is answered all the same: GitHub took back its conclusion.
    assert (await analyze(place, job))["checkRunSent"] is False
    assert (await analyze(place, job | {"forceRecompute": True}))["checkRunSent"] is True
    assert len(place.paper.check_runs) == 1
    # It was renamed while the job waited: GitHub's id outlives that.
    await place.owner.execute("UPDATE github_repositories SET full_name = 'acme/store'")
    assert (await analyze(place, job))["published"] is False
    by_id = job | {"repository": {**job["repository"], "repositoryId": REPOSITORY}}
    assert (await analyze(place, by_id))["conclusion"] == "neutral"
    # A run that came as an artifact is of the commit that GitHub names, whatever its results say.
    assert (await owed(place, ingestion_id))["data"]["headSha"] == SHA


async def test_what_is_owed_is_settled_once_it_is_said(place: Place) -> None:
    row = await owed(place, await place.results({"a": FAIL}))
    await analyze_run(
        place.resources.database, place.publishing, row["name"], row["data"],
        job_id=row["job_id"], afresh=False, now=place.resources.now, config=analysis_config(place.settings),
    )  # fmt: skip
    assert place.check_run["head_sha"] == SHA
    assert await place.owner.fetchval("SELECT count(*) FROM outbox") == 0


def located(names: range) -> bytes:
    cases = "".join(
        f"<testcase classname='c' name='t{n}'><failure message='no'>tests/test_{n}.py:{n + 1}: no</failure></testcase>"
        for n in names
    )
    return f"<testsuite name='s'>{cases}<testcase classname='c' name='ok'/></testsuite>".encode()


async def test_annotations_go_in_fifties_and_each_one_once(place: Place) -> None:
    facts = {"repo_full_name": "acme/shop", "branch": "fix", "github_run_id": "77", "sha": SHA}
    data(await upload(place.client, place.tenant.as_key, located(range(120)), **facts))
    await place.owner.execute("UPDATE test_runs SET outage = false")  # so many failures would be an outage
    assert (await place.publish()).check_run_sent
    assert [place.paper.asked.count(name) for name in ("create_check_run", "update_check_run")] == [1, 2]
    assert len(place.check_run["annotations"]) == 120
    data(await upload(place.client, place.tenant.as_key, located(range(118, 121)), job_name="more", **facts))
    await place.publish()
    said = [(one["path"], one["title"]) for one in place.check_run["annotations"]]
    assert {path for path, _ in said} == {f"tests/test_{n}.py" for n in range(121)}
    assert len(said) == len(set(said))


async def test_batches_cut_short_do_not_annotate_twice(place: Place) -> None:
    facts = {"repo_full_name": "acme/shop", "branch": "fix", "github_run_id": "77", "sha": SHA}
    data(await upload(place.client, place.tenant.as_key, located(range(120)), **facts))
    await place.owner.execute("UPDATE test_runs SET outage = false")
    place.paper.die_after = "update_check_run"
    with pytest.raises(Killed):
        await place.publish()
    assert len(place.check_run["annotations"]) == 100
    await place.publish(afresh=True)
    assert len(place.check_run["annotations"]) == 120


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


async def test_from_upload_to_check_run_by_the_worker_alone(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings,
    owner: "asyncpg.Connection[asyncpg.Record]", monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    place = await bound(Place(client, tenant, resources, settings, owner))
    monkeypatch.setattr(
        runner, "processors", lambda *given, **named: processors(*given, **(named | {"publishing": place.publishing}))
    )
    await place.pull(12)
    async with runner.running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        await place.results({"a": FAIL})
        async with asyncio.timeout(20):
            while not place.paper.comments:  # noqa: ASYNC110 -- a job's end is seen at GitHub
                await asyncio.sleep(0.05)
    assert "0 of 1 test passed in 1 job" in place.check_run["output"]["summary"]

"""The GitHub page of an organisation: what it shows, what its forms do, and who is let in."""

import re

import pytest
from tests.github.fake import FakeGitHub, Repository

from flakeguard.analysis.config import DEFAULT_CONFIG
from flakeguard.github.installations.actions import perform
from flakeguard.worker.outbox import settle

from .conftest import INSTALLATION, REPOSITORY, SHA, bury, repository, run_event

PAGE = "/orgs/ada/github"
CSRF = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')


async def post(client, tenant, path: str, **form: str):
    page = (await client.get("/account", headers=tenant.as_browser)).text
    token = CSRF.search(page)[1]
    return await client.post(path, data={"csrf_token": token, **form}, headers=tenant.as_browser)


async def test_it_shows_installations_repositories_and_deliveries(client, tenant, bound, deliver, owner, resources):
    for number in (1, 2, 3):
        await deliver("workflow_run", run_event(run_id=number), guid=f"g-{number}")
    async with resources.database.transaction() as connection:
        await settle(connection, f"run-{INSTALLATION}-{REPOSITORY}-1-1")
    await bury(owner, f"run-{INSTALLATION}-{REPOSITORY}-2-1", "no artifact <b>was</b> left")
    page = (await client.get(PAGE, headers=tenant.as_browser)).text
    assert "acme/shop" in page
    assert "github.com/apps/flakeguard/installations/new" in page
    states = dict(re.findall(r'id="delivery-(g-\d)".*?badge v-(\w+)', page, re.DOTALL))
    assert states == {"g-1": "stable", "g-2": "broken", "g-3": "recovering"}
    assert "no artifact &lt;b&gt;was&lt;/b&gt; left" in page
    # The page asks for this part of itself as long as something is under way.
    live = await client.get(PAGE, headers=tenant.as_browser | {"HX-Request": "true", "HX-Target": "live"})
    assert live.status_code == 200
    assert live.text.count('id="delivery-g-') == 3


async def test_an_empty_page_says_what_to_do(client, tenant):
    page = await client.get(PAGE, headers=tenant.as_browser)
    assert page.status_code == 200
    assert "Nothing is connected" in page.text


async def test_a_delivery_is_processed_again(client, tenant, bound, deliver, owner, resources):
    await deliver("workflow_run", run_event(), guid="g-1")
    await bury(owner, f"run-{INSTALLATION}-{REPOSITORY}-1000-1", "gone")
    answer = await post(client, tenant, f"{PAGE}/deliveries/g-1/again")
    assert answer.status_code == 303, answer.text
    assert await owner.fetchval("SELECT dead_at FROM outbox") is None
    await owner.execute("DELETE FROM outbox")
    await owner.execute("UPDATE github_runs SET state = 'stored'")
    await post(client, tenant, f"{PAGE}/deliveries/g-1/again")
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 1


async def test_what_is_processed_again_takes_no_repository_away(client, tenant, bound, deliver, owner):
    told = [{"id": REPOSITORY, "full_name": "acme/shop", "private": True}]
    for action in ("removed", "added"):
        event = {"action": action, "installation": {"id": INSTALLATION}, f"repositories_{action}": told}
        await deliver("installation_repositories", event, guid=action)
    await deliver("installation", {"action": "suspend", "installation": {"id": INSTALLATION}}, guid="suspend")
    await deliver("installation", {"action": "unsuspend", "installation": {"id": INSTALLATION}})
    for guid in ("removed", "suspend"):
        assert (await post(client, tenant, f"{PAGE}/deliveries/{guid}/again")).status_code == 303
    assert await owner.fetchval("SELECT removed_at FROM github_repositories") is None
    assert await owner.fetchval("SELECT suspended_at FROM github_installations") is None


async def test_a_project_is_chosen_and_taken_away(client, tenant, stranger, bound, deliver, owner):
    path = f"{PAGE}/repositories/{REPOSITORY}"
    assert (await post(client, tenant, path, project="")).status_code == 303
    assert (await deliver("workflow_run", run_event(), guid="g-1")).json()["state"] == "ignored"
    assert (await post(client, tenant, path, project=str(stranger.project.id))).status_code == 404
    assert await owner.fetchval("SELECT project_id FROM github_repositories") is None
    assert (await post(client, tenant, path, project=str(tenant.project.id))).status_code == 303
    await post(client, tenant, f"{PAGE}/deliveries/g-1/again")
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 1


async def test_disconnecting_makes_it_nobodys(client, tenant, bound, deliver, owner):
    assert (await post(client, tenant, f"{PAGE}/installations/{INSTALLATION}/disconnect")).status_code == 303
    assert await owner.fetchval("SELECT organization_id FROM github_installations") is None
    assert (await deliver("workflow_run", run_event())).json()["state"] == "unbound"
    assert "acme/shop" not in (await client.get(PAGE, headers=tenant.as_browser)).text


async def test_strangers_and_readers_change_nothing(client, tenant, stranger, bound, deliver, owner):
    await deliver("workflow_run", run_event(), guid="g-1")
    forms = [("deliveries/g-1/again", {}), (f"installations/{INSTALLATION}/disconnect", {}),
             (f"repositories/{REPOSITORY}", {"project": ""})]  # fmt: skip
    assert (await client.get(PAGE, headers=stranger.as_browser)).status_code == 404
    theirs = "/orgs/mallory/github"
    assert "acme" not in (await client.get(theirs, headers=stranger.as_browser)).text
    for part, form in forms:
        for page in (PAGE, theirs):
            assert (await post(client, stranger, f"{page}/{part}", **form)).status_code == 404, part
    await owner.execute("UPDATE memberships SET role = 'MEMBER' WHERE user_id = $1", tenant.user.id)
    for part, form in forms:
        assert (await post(client, tenant, f"{PAGE}/{part}", **form)).status_code == 403, part
    page = (await client.get(PAGE, headers=tenant.as_browser)).text
    assert "acme/shop" in page
    assert "Process again" not in page
    assert tuple(await owner.fetchrow("SELECT project_id, organization_id FROM github_repositories")) == (
        tenant.project.id, tenant.project.organization_id)  # fmt: skip


async def test_no_form_works_without_its_token(client, tenant, bound, owner):
    answer = await client.post(f"{PAGE}/installations/{INSTALLATION}/disconnect", headers=tenant.as_browser)
    assert answer.status_code == 403
    assert await owner.fetchval("SELECT organization_id FROM github_installations") is not None


# ── buttons of the check run ──────────────────────────────────────────────────────────────────────────────────────


def pressed(action: str, sha: str = SHA) -> dict:
    told = {"owner": "acme", "repo": "shop", "installationId": INSTALLATION, "repositoryId": REPOSITORY}
    return {"repository": told, "action": action, "headSha": sha, "checkRunId": 3, "requestedBy": "ada"}


@pytest.fixture
def shop(fake: FakeGitHub) -> Repository:
    """The repository at GitHub, which tells of the runs that it was asked to rerun."""
    shop = fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    shop.permissions["ada"] = "write"
    return shop


async def owed_action(deliver, owner, action: str) -> str:
    event = {"action": "requested_action", "requested_action": {"identifier": action},
             "check_run": {"id": 3, "head_sha": SHA, "app": {"id": 29310}}, "sender": {"login": "ada"},
             "installation": {"id": INSTALLATION}, "repository": repository()}  # fmt: skip
    await deliver("check_run", event, guid=action)
    return f"action-{action}"


async def test_failed_jobs_of_the_commits_latest_attempts_run_again(bound, deliver, owner, resources, shop, github):
    await deliver("workflow_run", run_event(run_id=1, attempt=1))
    await deliver("workflow_run", run_event(run_id=1, attempt=2))
    await deliver("workflow_run", run_event(run_id=2, conclusion="success"))
    job_id = await owed_action(deliver, owner, "rerun_failed")
    answer = await perform(resources, github, pressed("rerun_failed"), job_id=job_id, config=DEFAULT_CONFIG)
    assert shop.rerun == [1]
    assert answer == "Failed jobs run again: 1."
    assert await owner.fetchval("SELECT count(*) FROM outbox WHERE job_id = $1", job_id) == 0
    told = await owner.fetchval(
        "SELECT metadata ->> 'answer' FROM audit_events WHERE action = 'github.action_requested'"
    )
    assert told == answer


async def test_who_may_not_write_runs_nothing_again(bound, deliver, owner, resources, shop, github):
    shop.permissions["ada"] = "read"
    await deliver("workflow_run", run_event(run_id=1))
    job_id = await owed_action(deliver, owner, "rerun_failed")
    answer = await perform(resources, github, pressed("rerun_failed"), job_id=job_id, config=DEFAULT_CONFIG)
    assert "takes write access to acme/shop" in answer
    assert shop.rerun == []


@pytest.mark.parametrize(
    ("status", "message", "told"),
    [
        (403, "This workflow is already running", "not now: .*already running.*"),
        (404, "Not Found", "GitHub has it no more"),
    ],
)
async def test_a_run_that_github_does_not_run_again_keeps_no_other_from_it(
    bound, deliver, owner, resources, fake, shop, github, status, message, told
):
    await deliver("workflow_run", run_event(run_id=1))
    await deliver("workflow_run", run_event(run_id=2))
    job_id = await owed_action(deliver, owner, "rerun_failed")
    fake.fail("/runs/1/rerun", status=status, body={"message": message})
    answer = await perform(resources, github, pressed("rerun_failed"), job_id=job_id, config=DEFAULT_CONFIG)
    assert re.fullmatch(rf"Failed jobs run again: 1 \({told}\), 2\.", answer)
    assert shop.rerun == [2]


@pytest.mark.parametrize("action", ["mark_stable", "dance"])
async def test_what_is_not_possible_yet_is_said(bound, deliver, owner, resources, github, action):
    job_id = await owed_action(deliver, owner, action)
    answer = await perform(resources, github, pressed(action), job_id=job_id, config=DEFAULT_CONFIG)
    assert "yet" in answer or "knows no action" in answer
    assert await owner.fetchval("SELECT count(*) FROM outbox") == 0
    assert await owner.fetchval("SELECT metadata ->> 'by' FROM audit_events WHERE action LIKE 'github.act%'") == "ada"


async def test_a_button_of_a_repository_that_moved_does_nothing(bound, owner, resources, fake, github):
    data = pressed("rerun_failed")
    data["repository"]["installationId"] = 1
    assert "another installation" in await perform(resources, github, data, job_id="action-x", config=DEFAULT_CONFIG)
    assert fake.asked == []

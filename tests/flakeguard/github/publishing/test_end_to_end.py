"""An upload, a real worker, and a GitHub on loopback: the verdict is there, also when GitHub fails meanwhile.

And what its buttons decide is done, and seen there.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from tests.github.fake import APP_ID, FakeGitHub, Repository, fake_github

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker import retry_policy
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Resources

from ....conftest import settings_of_a_clone
from ...conftest import Tenant
from ...uploads import FAIL, PASS, data, report, upload
from ..conftest import SECRET
from ..conftest import repository as as_told

SHA = "a" * 40
FACTS = {"repo_full_name": "acme/shop", "branch": "fix", "github_run_id": "77", "provider": "github"}


@pytest.fixture
async def fake() -> AsyncIterator[FakeGitHub]:
    async with fake_github() as made:
        yield made


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, fake: FakeGitHub) -> FlakeGuardSettings:
    named = {
        "github_app_id": APP_ID, "github_api_url": fake.url, "github_private_key": SecretStr(fake.private_key),
        "github_webhook_secret": SecretStr(SECRET),
    }  # fmt: skip
    return settings_of_a_clone(monkeypatch).model_copy(update=named)


@pytest.fixture
async def repository(fake: FakeGitHub, tenant: Tenant, owner) -> Repository:
    made = fake.add_repository()
    organization = tenant.project.organization_id
    await owner.execute(
        "INSERT INTO github_installations (id, account_id, account_login, organization_id) VALUES ($1, 1, 'acme', $2)",
        made.installation_id, organization,
    )  # fmt: skip
    await owner.execute(
        "INSERT INTO github_repositories (id, installation_id, organization_id, full_name, project_id)"
        " VALUES ($1, $2, $3, $4, $5)",
        made.id, made.installation_id, organization, made.full_name, tenant.project.id,
    )  # fmt: skip
    made.pulls = [{"number": 12, "state": "open", "head": {"sha": SHA}}]
    return made


async def settled(owner) -> None:
    async with asyncio.timeout(30):
        while await owner.fetchval("SELECT count(*) FROM outbox WHERE dead_at IS NULL"):  # noqa: ASYNC110 -- a table
            await asyncio.sleep(0.05)
    assert await owner.fetchval("SELECT error FROM outbox") is None


async def test_an_upload_is_said_at_github_though_it_fails_meanwhile(
    client, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings, fake: FakeGitHub,
    repository: Repository, owner,
) -> None:  # fmt: skip
    fake.fail("access_tokens", status=403, headers={"retry-after": "1"})
    fake.fail("POST .*/check-runs", status=502, after=True)  # it is made, and the answer is lost
    registry = CollectorRegistry()
    async with running_worker(resources, settings, WorkerMetrics(registry)):
        answer = await upload(
            client, tenant.as_key, report({"a": FAIL, "b": PASS}, class_name="tests.cart"), sha=SHA, **FACTS
        )
        assert data(answer)["state"] == "analyzed", answer.text
        await settled(owner)
    (check_run,) = repository.check_runs.values()
    assert (check_run["head_sha"], check_run["status"]) == (SHA, "completed")
    (comment,) = repository.comments.values()
    assert comment["issue"] == 12
    assert await owner.fetchval("SELECT check_run_id FROM github_check_runs") == check_run["id"]
    assert await owner.fetchval("SELECT comment_id FROM github_comments") == comment["id"]
    made = {"endpoint": "POST /repos/{owner}/{repo}/check-runs", "status": "502"}
    assert registry.get_sample_value("flakeguard_worker_github_api_calls_total", made) == 1


def pressed(repository: Repository, identifier: str) -> dict:
    (check_run,) = repository.check_runs.values()
    return {
        "action": "requested_action", "requested_action": {"identifier": identifier},
        "check_run": {"id": check_run["id"], "head_sha": SHA, "app": {"id": APP_ID}}, "sender": {"login": "grace"},
        "installation": {"id": repository.installation_id},
        "repository": as_told(repository.id, repository.full_name),
    }  # fmt: skip


def buttons(repository: Repository) -> list[str]:
    (check_run,) = repository.check_runs.values()
    return [action["identifier"] for action in check_run["actions"]]


async def test_who_may_write_quarantines_the_flakes_of_a_commit_by_its_button(
    client, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings, repository: Repository, deliver, owner,
) -> None:  # fmt: skip
    decisions = (
        "SELECT c.name, q.state, q.decider, q.until - q.decided_at AS lasts FROM quarantine_decisions q"
        " JOIN test_cases c ON c.id = q.test_case_id ORDER BY q.id"
    )
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        for number in range(6):
            content = report({"a": [FAIL, PASS], "b": PASS}, class_name="tests.cart")
            facts = FACTS | {"sha": f"{number}" * 40, "branch": "main", "github_run_id": str(number)}
            assert data(await upload(client, tenant.as_key, content, **facts))["state"] == "analyzed"
        await settled(owner)
        repository.check_runs.clear()
        content = report({"a": FAIL, "b": FAIL}, class_name="tests.cart")
        assert data(await upload(client, tenant.as_key, content, sha=SHA, **FACTS))["state"] == "analyzed"
        await settled(owner)
        assert buttons(repository) == ["rerun_failed", "quarantine"]

        await deliver("check_run", pressed(repository, "quarantine"))  # grace is nobody there
        await settled(owner)
        repository.permissions["grace"] = "read"
        await deliver("check_run", pressed(repository, "quarantine"))
        await settled(owner)
        assert await owner.fetch(decisions) == []

        repository.permissions["grace"] = "write"
        for _ in range(2):  # the second one changes nothing
            await deliver("check_run", pressed(repository, "quarantine"))
            await settled(owner)
    (row,) = await owner.fetch(decisions)
    assert tuple(row) == ("a", "ACTIVE", "@grace", timedelta(days=30))
    (check_run,) = repository.check_runs.values()
    assert "1 in quarantine" in check_run["output"]["summary"]
    assert "quarantined until" in check_run["output"]["summary"]
    assert buttons(repository) == ["rerun_failed"]
    answers = await owner.fetch(
        "SELECT metadata ->> 'answer' FROM audit_events WHERE action = 'github.action_requested' ORDER BY id"
    )
    refused, read_only, done, again = (answer for (answer,) in answers)
    assert refused == read_only == "grace may do nothing here: that takes write access to acme/shop."
    assert done.startswith("Quarantined until ")
    assert done.endswith(": a.")
    assert again == "No flaky test of this commit is left to quarantine."
    assert await owner.fetchval("SELECT count(*) FROM audit_events WHERE action = 'quarantine.activated'") == 1


async def test_what_is_proposed_is_dismissed_by_its_button(
    client, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings, repository: Repository, deliver, owner,
) -> None:  # fmt: skip
    repository.permissions["grace"] = "admin"
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        content = report({"a": [FAIL, PASS], "b": PASS}, class_name="tests.cart")
        assert data(await upload(client, tenant.as_key, content, sha=SHA, **FACTS))["state"] == "analyzed"
        await settled(owner)
        await owner.execute(
            "INSERT INTO quarantine_decisions"
            " (project_id, test_case_id, state, score, confidence, rationale, until, proposed_at)"
            " SELECT project_id, id, 'PROPOSED', 0.5, 0.9, 'flaky', now() + interval '30 days', now() FROM test_cases"
            " WHERE name = 'a'"
        )
        await deliver("check_run", pressed(repository, "dismiss_flake"))
        await settled(owner)
    row = await owner.fetchrow("SELECT state, decider, until > now() + interval '29 days' FROM quarantine_decisions")
    assert tuple(row) == ("DISMISSED", "@grace", True)


async def test_an_issue_is_opened_for_the_flakes_of_a_commit_once_while_it_is_open(
    client, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings, fake: FakeGitHub,
    repository: Repository, deliver, owner, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(retry_policy, "RETRY_DELAY_MS", 100)
    repository.permissions |= {"grace": "read"}

    async def answered() -> str:
        await deliver("check_run", pressed(repository, "open_issue"))
        await settled(owner)
        return await owner.fetchval(
            "SELECT metadata ->> 'answer' FROM audit_events WHERE action = 'github.action_requested'"
            " ORDER BY id DESC LIMIT 1"
        )

    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        content = report({"a": [FAIL, PASS], "b": [FAIL, PASS], "c": PASS}, class_name="tests.cart")
        assert data(await upload(client, tenant.as_key, content, sha=SHA, **FACTS))["state"] == "analyzed"
        await settled(owner)
        assert buttons(repository) == ["quarantine", "open_issue"]
        assert "write access" in await answered()
        repository.permissions["grace"] = "write"
        fake.fail("POST .*/issues$", status=403, body={"message": "Resource not accessible by integration"})
        assert "Issues: write" in await answered()
        repository.has_issues = False
        assert "switched off" in await answered()
        repository.has_issues = True
        assert repository.issues == {}

        by_test = {row["name"]: row["id"] for row in await owner.fetch("SELECT name, id FROM test_cases")}
        quoted = f"<!-- flakeguard:test {by_test['a']} -->"
        fake.add_issue(repository, quoted, None, labels=["flaky-test"])  # a person's, who quotes one of ours
        fake.fail("POST .*/issues$", status=502, after=True)  # it is opened, and the answer is lost
        first = await answered()
        issue = list(repository.issues.values())[-1]
        address = f"{fake.url}/acme/shop/issues/{issue['number']}"
        assert first == f"Open already: {address}."  # found by the second try
        assert issue["title"] in ("Flaky tests: a and 1 more", "Flaky tests: b and 1 more")
        assert (issue["labels"], SHA in issue["body"], "@grace" in issue["body"]) == (["flaky-test"], True, True)
        assert await answered() == first
        assert len(repository.issues) == 2

        issue["body"] = quoted  # b has none any more
        opened = await answered()
        assert opened.startswith("Opened ")
        assert opened.endswith(f" for 1 test. Open already: {address}.")
        for one in repository.issues.values():
            one["state"] = "closed"
        assert (await answered()).endswith(" for 2 tests.")
    assert len(repository.issues) == 4

"""An upload, a real worker, and a GitHub on loopback: the verdict is there, also when GitHub fails meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from tests.github.fake import APP_ID, FakeGitHub, Repository, fake_github

from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.runner import running_worker
from fluxbase.resources import Resources

from ....conftest import settings_of_a_clone
from ...conftest import Tenant
from ...uploads import FAIL, PASS, data, report, upload

SHA = "a" * 40


@pytest.fixture
async def fake() -> AsyncIterator[FakeGitHub]:
    async with fake_github() as made:
        yield made


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, fake: FakeGitHub) -> FlakeGuardSettings:
    named = {
        "github_app_id": APP_ID, "github_api_url": fake.url, "github_private_key": SecretStr(fake.private_key),
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
        facts = {"repo_full_name": "acme/shop", "branch": "fix", "github_run_id": "77", "provider": "github"}
        answer = await upload(
            client, tenant.as_key, report({"a": FAIL, "b": PASS}, class_name="tests.cart"), sha=SHA, **facts
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

"""GitHub's deliveries as GitHub signs them, and an installation that belongs to a tenant."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry
from tests.conftest import settings_of_a_clone
from tests.github.fake import APP_ID, FakeGitHub, fake_github
from tests.github.webhooks import completed

from flakeguard.github.api import GitHub
from flakeguard.github.api.tokens import AppKey
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import GitHubMetrics
from fluxbase.resources import utc_now

SECRET = "what GitHub and we share"
INSTALLATION, OTHERS_INSTALLATION = 4711, 4712
REPOSITORY, OTHERS_REPOSITORY = 815, 816
SHA = "a" * 40

type Deliver = Callable[..., Awaitable[httpx.Response]]
_guids = count(1)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> FlakeGuardSettings:
    for name in ("GITHUB_APP_ID", "GITHUB_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    return settings_of_a_clone(monkeypatch).model_copy(
        update={
            "github_webhook_secret": _secret(SECRET),
            "github_app_id": 29310,
            "github_client_id": "Iv1.client",
            "github_client_secret": _secret("the App's client secret"),
            "github_app_slug": "flakeguard",
        }
    )


def _secret(text: str) -> Any:
    from pydantic import SecretStr

    return SecretStr(text)


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.fixture
async def fake() -> AsyncIterator[FakeGitHub]:
    async with fake_github() as made:
        yield made


@asynccontextmanager
async def another_client(fake: FakeGitHub) -> AsyncIterator[GitHub]:
    """One that knows nothing of what the first was told."""
    made = GitHub(AppKey(APP_ID, fake.private_key), fake.url, GitHubMetrics(CollectorRegistry()), utc_now)
    try:
        yield made
    finally:
        await made.aclose()


@pytest.fixture
async def github(fake: FakeGitHub) -> AsyncIterator[GitHub]:
    async with another_client(fake) as made:
        yield made


@pytest.fixture
def deliver(client: httpx.AsyncClient) -> Deliver:
    """Send a delivery as GitHub does: what a payload leaves out is as in its examples. Bytes are sent as they are."""

    async def send(event: str, payload: Any, *, guid: str | None = None, **headers: str) -> httpx.Response:
        if isinstance(payload, dict) and "action" in payload:
            payload = completed(event, payload)
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = {
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": guid or f"delivery-{next(_guids)}",
            "X-Hub-Signature-256": signed(body),
            "Content-Type": "application/json",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.post("/github/webhook", content=body, headers=sent)

    return send


def account(login: str = "acme", number: int = 99, kind: str = "Organization") -> dict[str, Any]:
    return {"id": number, "login": login, "type": kind}


def repository(number: int = REPOSITORY, full_name: str = "acme/shop") -> dict[str, Any]:
    owner = full_name.partition("/")[0]
    return {
        "id": number, "full_name": full_name, "private": True, "default_branch": "trunk", "owner": account(owner),
    }  # fmt: skip


def installation_event(action: str, number: int = INSTALLATION, *repositories: dict[str, Any]) -> dict[str, Any]:
    told = [{name: one[name] for name in ("id", "full_name", "private")} for one in repositories]
    return {"action": action, "installation": {"id": number, "account": account()}, "repositories": told}


def run_event(
    action: str = "completed",
    *,
    installation: int = INSTALLATION,
    of: dict[str, Any] | None = None,
    run_id: int = 1000,
    attempt: int = 1,
    **run: Any,
) -> dict[str, Any]:
    told = {
        "id": run_id, "run_attempt": attempt, "head_sha": SHA, "head_branch": "topic", "event": "push",
        "status": "completed", "conclusion": "failure", "name": "CI", "run_number": 7, "pull_requests": [],
        "run_started_at": "2026-11-25T10:00:00Z", "html_url": "https://github.com/acme/shop/actions/runs/1000",
    }  # fmt: skip
    in_repository = of or repository()
    told["head_repository"] = {name: in_repository[name] for name in ("id", "full_name")}
    return {
        "action": action, "workflow_run": told | run, "installation": {"id": installation}, "repository": in_repository,
    }  # fmt: skip


async def bind(owner: Any, tenant: Any, installation: int = INSTALLATION) -> None:
    """As the binding leaves it: the organisation's, with the project that gets the repository's results."""
    await owner.execute("UPDATE github_installations SET organization_id = $2 WHERE id = $1", installation,
                        tenant.project.organization_id)  # fmt: skip
    await owner.execute("UPDATE github_repositories SET project_id = $2 WHERE installation_id = $1", installation,
                        tenant.project.id)  # fmt: skip


@pytest.fixture
async def bound(owner: Any, tenant: Any, deliver: Deliver) -> None:
    answer = await deliver("installation", installation_event("created", INSTALLATION, repository()))
    assert answer.status_code == 202
    await bind(owner, tenant)


async def bury(owner: Any, job_id: str, error: str) -> None:
    """As the worker leaves a job that it gave up."""
    await owner.execute("UPDATE outbox SET dead_at = now(), error = $2 WHERE job_id = $1", job_id, error)

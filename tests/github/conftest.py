from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import CollectorRegistry

from flakeguard.github.api import GitHub
from flakeguard.github.api.tokens import AppKey
from flakeguard.worker.metrics import GitHubMetrics
from fluxbase.resources import utc_now

from .fake import APP_ID, FakeGitHub, Repository, fake_github


@pytest.fixture
async def fake() -> AsyncIterator[FakeGitHub]:
    async with fake_github() as made:
        yield made


@pytest.fixture
def repository(fake: FakeGitHub) -> Repository:
    return fake.add_repository()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
async def github(fake: FakeGitHub, registry: CollectorRegistry) -> AsyncIterator[GitHub]:
    key = AppKey(APP_ID, fake.private_key)
    made = GitHub(key, fake.url, GitHubMetrics(registry), utc_now, httpx.Timeout(0.5))
    yield made
    await made.aclose()

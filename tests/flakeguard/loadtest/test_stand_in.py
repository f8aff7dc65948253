"""The load test's GitHub says what GitHub says, and knows all that a worker asks of its own accord."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from tests.github.npm import NoPackageError
from tests.github.truth import Truth

from flakeguard.github.api import GitHub
from flakeguard.github.api.tokens import AppKey
from flakeguard.github.installations.reconciling import Reconciled, reconcile
from flakeguard.github.redelivering.redelivering import Look, ask_again
from flakeguard.loadtest.answers import APP_ID, OPERATIONS, answer
from flakeguard.loadtest.feeding import make_repositories
from flakeguard.loadtest.github import StandIn, standing_in
from flakeguard.worker.metrics import GitHubMetrics
from fluxbase.resources import Resources, utc_now

PATH = {
    "owner": "load", "repo": "repository-2", "run_id": "7", "attempt_number": "1", "artifact_id": "7", "ref": "main",
    "archive_format": "zip", "commit_sha": "a" * 40, "check_run_id": "3", "installation_id": "1",
}  # fmt: skip


@pytest.fixture(scope="module")
def truth() -> Truth:
    try:
        return Truth(tuple(OPERATIONS))
    except NoPackageError as error:
        pytest.skip(f"nothing holds the load test's GitHub to the truth: {error}")


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    async with standing_in(cases=5, repositories=2) as made:
        yield made


@pytest.mark.parametrize("operation", OPERATIONS)
def test_its_answers_are_as_github_describes_them(truth: Truth, operation: str) -> None:
    method, _, path = operation.partition(" ")
    status, body = answer(StandIn(5, 2, private_key=""), method, path.format_map(PATH))
    assert status < 400
    assert truth.of_response(operation, status, None if isinstance(body, str) else body) == []


async def test_what_the_worker_does_by_the_clock_finds_all_as_it_is(stand_in: StandIn, resources: Resources) -> None:
    """And so takes nothing from a load test that runs beside it."""
    key = AppKey(APP_ID, stand_in.private_key)
    github = GitHub(key, stand_in.address, GitHubMetrics(CollectorRegistry()), utc_now)
    await make_repositories(resources, 2, stand_in.address)
    try:
        assert await reconcile(resources, github, api_url=stand_in.address) == Reconciled(listed=1)
        assert await ask_again(resources, github) == Look()
    finally:
        await github.aclose()

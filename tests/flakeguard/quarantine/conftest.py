"""A project whose test `adds` is proven flaky, `breaks` broken and `pays` stable."""

from collections.abc import Mapping
from datetime import timedelta

import httpx
import pytest

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.quarantine.policy import DEFAULT_POLICY, QuarantinePolicy
from flakeguard.quarantine.reviewing import Reviewed, review
from fluxbase.resources import Resources

from ..conftest import Tenant
from ..uploads import FAIL, PASS, data, report, upload

RUNS = 6


@pytest.fixture
async def tests(client: httpx.AsyncClient, tenant: Tenant, worker: None, resources: Resources) -> Mapping[str, int]:
    """Numbers of the tests by name."""
    for run in range(RUNS):
        content = report({"pays": PASS, "breaks": FAIL, "adds": [FAIL, PASS] if run % 2 else PASS})
        assert data(await upload(client, tenant.as_key, content, sha=f"{run:040x}", github_run_id=run + 1))
    async with resources.database.transaction() as connection:
        verdicts = dict(
            await connection.fetch(
                "SELECT c.name, s.verdict FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id"
            )
        )
        assert verdicts == {"pays": "stable", "breaks": "broken", "adds": "flaky"}
        return dict(await connection.fetch("SELECT name, id FROM test_cases"))


async def reviewed(
    resources: Resources,
    tenant: Tenant,
    tests: Mapping[str, int],
    *,
    days: int = 0,
    policy: QuarantinePolicy = DEFAULT_POLICY,
) -> Reviewed:
    """A review of all tests, now or so many days on."""
    async with resources.database.transaction() as connection:
        return await review(
            connection, tenant.project.id, tests.values(),
            policy=policy, config=AnalysisConfig(), now=resources.now() + timedelta(days=days),
        )  # fmt: skip

"""A bound repository at the fake GitHub, and what it takes to publish there."""

from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from tests.github.fake import FakeGitHub, Repository

from flakeguard.analysis.settings import analysis_config
from flakeguard.github.api import GitHub
from flakeguard.github.publishing.commenting import Comments
from flakeguard.github.publishing.publishing import Manner, Published, publish
from flakeguard.settings import FlakeGuardSettings
from fluxbase.resources import Resources

from ...conftest import Tenant
from ...uploads import data, report, upload
from ..conftest import INSTALLATION, REPOSITORY, SHA

MAKE_CHECK_RUN, CHANGE_CHECK_RUN = "POST .*/check-runs$", "PATCH .*/check-runs/"
MAKE_COMMENT = "POST .*/comments$"


@dataclass
class Place:
    """`shop` is the repository, as `github` holds it; `api` is our client of that."""

    client: httpx.AsyncClient
    tenant: Tenant
    resources: Resources
    settings: FlakeGuardSettings
    owner: Any
    github: FakeGitHub
    api: GitHub
    shop: Repository

    async def results(self, tests: dict, *, sha: str = SHA, **meta: Any) -> str:
        return await self.reported(report(tests, class_name="tests.cart"), sha=sha, **meta)

    async def reported(self, content: bytes, *, sha: str = SHA, **meta: Any) -> str:
        facts = {"repo_full_name": "acme/shop", "branch": "fix", "github_run_id": "77", "workflow_name": "CI"}
        facts |= {"sha": sha, "provider": "github"} | meta
        answer = await upload(self.client, self.tenant.as_key, content, **facts)
        assert data(answer)["state"] == "analyzed", answer.text
        return data(answer)["ingestion_id"]

    async def publish(
        self, sha: str = SHA, *, afresh: bool = False, comments: Comments = Comments.FAILURES
    ) -> Published:
        return await publish(
            self.resources.database, self.api.poster_for, REPOSITORY, sha,
            job_id="analyze-run-1", afresh=afresh, now=self.resources.now, config=analysis_config(self.settings),
            manner=Manner("http://testserver", comments, frozenset({"rerun_failed"})),
        )  # fmt: skip

    async def pull(self, number: int, sha: str = SHA, *, is_open: bool = True) -> None:
        await self.owner.execute(
            "INSERT INTO github_pulls VALUES ($1, $2, $3, $4, now()) ON CONFLICT (repository_id, pr_number)"
            " DO UPDATE SET head_sha = $3, open = $4",
            REPOSITORY, number, sha, is_open,
        )  # fmt: skip

    def asked(self, pattern: str) -> int:
        """How often GitHub was."""
        return len(self.github.asked_for(pattern))

    @property
    def check_run(self) -> dict[str, Any]:
        (only,) = self.shop.check_runs.values()
        return only

    @property
    def comments(self) -> list[dict[str, Any]]:
        return list(self.shop.comments.values())

    @property
    def comment(self) -> str:
        (only,) = self.comments
        return only["body"]


@pytest.fixture
async def place(
    client: httpx.AsyncClient, tenant: Tenant, resources: Resources, settings: FlakeGuardSettings, worker: None,
    owner: "asyncpg.Connection[asyncpg.Record]", fake: FakeGitHub, github: GitHub,
) -> Place:  # fmt: skip
    """The repository belongs to an installation that the tenant's organisation is bound to."""
    organization = tenant.project.organization_id
    await owner.execute(
        "INSERT INTO github_installations (id, account_id, account_login, organization_id) VALUES ($1, 1, 'acme', $2)",
        INSTALLATION, organization,
    )  # fmt: skip
    await owner.execute(
        "INSERT INTO github_repositories (id, installation_id, organization_id, full_name, project_id)"
        " VALUES ($1, $2, $3, 'acme/shop', $4)",
        REPOSITORY, INSTALLATION, organization, tenant.project.id,
    )  # fmt: skip
    shop = fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    return Place(client, tenant, resources, settings, owner, fake, github, shop)

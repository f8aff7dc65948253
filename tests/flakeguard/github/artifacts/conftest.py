"""A bound repository at GitHub with a run of one job."""

import pytest
from tests.github.fake import FakeGitHub, Repository

from flakeguard.worker.outbox import owe
from fluxbase.resources import Resources

from ...conftest import Tenant
from ..conftest import INSTALLATION, REPOSITORY
from .fetched import JOB, at


@pytest.fixture
async def bound(resources: Resources, tenant: Tenant) -> None:
    async with resources.database.transaction() as connection:
        organization = tenant.project.organization_id
        await connection.execute(
            "INSERT INTO github_installations (id, account_id, account_login, organization_id, bound_at)"
            " VALUES ($1, 99, 'acme', $2, now())", INSTALLATION, organization,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO github_repositories (id, installation_id, organization_id, full_name, project_id)"
            " VALUES ($1, $2, $3, 'acme/shop', $4)", REPOSITORY, INSTALLATION, organization, tenant.project.id,
        )  # fmt: skip
        await owe(connection, queue="runs:ingest", name="process-run", job_id=JOB, data={}, correlation_id="hook")


@pytest.fixture
def shop(fake: FakeGitHub) -> Repository:
    """The repository at GitHub, with a run of one job."""
    made = fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    fake.add_run(made, 1000, head_branch="topic")
    fake.add_job(made, 1000, "unit", completed_at=at(minutes=5))
    return made

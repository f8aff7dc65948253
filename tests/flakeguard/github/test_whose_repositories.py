"""Whose repositories are: each tenant sees their own, and what moves, goes and comes back has one holder."""

import asyncio

import asyncpg
import pytest

from flakeguard.github.installations.adopting import adopt_installation
from flakeguard.github.webhooks.working import App
from flakeguard.projects import organizations
from fluxbase.db import Claims

from .conftest import (
    INSTALLATION,
    OTHERS_INSTALLATION,
    OTHERS_REPOSITORY,
    REPOSITORY,
    account,
    bind,
    installation_event,
    repository,
    run_event,
)

APP = App(29310, "https://api.github.com")


def as_member(who) -> Claims:
    return Claims("authenticated", sub=str(who.user.id))


@pytest.fixture
async def others(owner, stranger, deliver) -> None:
    """An installation of the other tenant's."""
    theirs = repository(OTHERS_REPOSITORY, "evil/corp")
    await deliver("installation", installation_event("created", OTHERS_INSTALLATION, theirs))
    await bind(owner, stranger, OTHERS_INSTALLATION)


async def test_tenants_see_their_own_and_bodies_nobody(resources, tenant, stranger, bound, others, deliver):
    await deliver("workflow_run", run_event(), guid="ada's")
    await deliver(
        "workflow_run", run_event(installation=OTHERS_INSTALLATION, of=repository(OTHERS_REPOSITORY, "evil/corp"))
    )
    tables = ("github_installations", "github_repositories", "github_runs", "github_pulls", "github_run_ingestions",
              "github_check_runs", "github_comments")  # fmt: skip
    for who, installation in ((tenant, INSTALLATION), (stranger, OTHERS_INSTALLATION)):
        async with resources.database.transaction(as_member(who)) as connection:
            for table in tables:
                await connection.fetch(f"SELECT * FROM {table}")
            ids = [row["id"] for row in await connection.fetch("SELECT id FROM github_installations")]
            rows = [
                *await connection.fetch("SELECT installation_id FROM github_deliveries"),
                *await connection.fetch("SELECT installation_id FROM github_repositories"),
            ]
            seen = {row["installation_id"] for row in rows}
            runs = await connection.fetch("SELECT repository_id FROM github_runs")
        assert ids == [installation]
        assert seen == {installation}
        assert len(runs) == 1
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _read_bodies(resources, who)


async def _read_bodies(resources, who) -> None:
    async with resources.database.transaction(as_member(who)) as connection:
        await connection.fetch("SELECT body FROM github_deliveries")


async def test_an_unbound_installation_is_nobodys_to_see(resources, tenant, deliver):
    await deliver("workflow_run", run_event())
    async with resources.database.transaction(as_member(tenant)) as connection:
        for table in ("github_installations", "github_repositories"):
            assert await connection.fetch(f"SELECT * FROM {table}") == []
        assert await connection.fetch("SELECT guid FROM github_deliveries") == []


async def test_postgresql_holds_a_repository_to_its_organisations_projects(owner, tenant, stranger, bound):
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await owner.execute("UPDATE github_repositories SET project_id = $1", stranger.project.id)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await owner.execute("UPDATE github_installations SET organization_id = $1", stranger.project.organization_id)


# ── repositories come and go ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_repository_that_moved_is_the_new_owners(owner, stranger, bound, others, deliver):
    moved = repository(REPOSITORY, "evil/shop")
    await deliver("workflow_run", run_event(installation=OTHERS_INSTALLATION, of=moved))
    row = await owner.fetchrow("SELECT * FROM github_repositories WHERE id = $1", REPOSITORY)
    assert row["installation_id"] == OTHERS_INSTALLATION
    organization = await owner.fetchval("SELECT organization_id FROM projects WHERE id = $1", row["project_id"])
    assert organization == stranger.project.organization_id
    # The former installation hears of the removal late.
    event = {"action": "removed", "installation": {"id": INSTALLATION, "account": account()},
             "repositories_removed": [{"id": REPOSITORY, "full_name": "acme/shop"}]}  # fmt: skip
    await deliver("installation_repositories", event)
    assert await owner.fetchval("SELECT removed_at FROM github_repositories WHERE id = $1", REPOSITORY) is None


async def test_what_was_kept_takes_no_repository_back(owner, tenant, others, deliver, resources, fake, github):
    """A delivery waits for its binding; meanwhile the repository is sold."""
    await deliver("workflow_run", run_event(), guid="kept")
    await deliver("repository", {"action": "transferred", "installation": {"id": OTHERS_INSTALLATION},
                                 "repository": repository(REPOSITORY, "evil/shop")})  # fmt: skip
    await bind(owner, tenant)
    fake.installations.add(INSTALLATION)  # which reaches nothing any more
    await adopt_installation(resources, APP, github, {"installationId": INSTALLATION}, job_id="adopt")
    row = await owner.fetchrow("SELECT state, error FROM github_deliveries WHERE guid = 'kept'")
    assert row["state"] == "ignored"
    assert await owner.fetch("SELECT FROM outbox WHERE name = 'process-run'") == []
    holder = await owner.fetchval("SELECT installation_id FROM github_repositories WHERE id = $1", REPOSITORY)
    assert holder == OTHERS_INSTALLATION


async def test_an_installation_made_anew_is_nobodys(owner, bound, deliver):
    await deliver("installation", installation_event("deleted"))
    assert (await deliver("workflow_run", run_event())).json()["state"] == "ignored"
    await deliver("installation", installation_event("created", 5000, repository()))
    assert (await deliver("workflow_run", run_event(installation=5000))).json()["state"] == "unbound"
    row = await owner.fetchrow("SELECT installation_id, project_id, removed_at FROM github_repositories")
    assert tuple(row) == (5000, None, None)


async def test_renamed_removed_added_deleted_and_suspended(owner, bound, deliver, tenant):
    renamed = repository(full_name="acme/store")
    await deliver("repository", {"action": "renamed", "installation": {"id": INSTALLATION}, "repository": renamed})
    assert tuple(await owner.fetchrow("SELECT full_name, project_id FROM github_repositories")) == (
        "acme/store", tenant.project.id)  # fmt: skip

    def changed(action: str) -> dict:
        told = [{"id": REPOSITORY, "full_name": "acme/store", "private": True}]
        return {"action": action, "installation": {"id": INSTALLATION, "account": account("acme-inc")},
                f"repositories_{action}": told}  # fmt: skip

    await deliver("installation_repositories", changed("removed"))
    assert (await deliver("workflow_run", run_event(of=renamed))).json()["state"] == "ignored"
    await deliver("installation_repositories", changed("added"))
    assert (await deliver("workflow_run", run_event(of=renamed))).json()["state"] == "received"
    for action, suspended in (("suspend", True), ("unsuspend", False)):
        await deliver("installation", installation_event(action))
        assert (await owner.fetchval("SELECT suspended_at FROM github_installations") is not None) is suspended
    gone = {"action": "deleted", "installation": {"id": INSTALLATION}, "repository": renamed}
    await deliver("repository", gone)
    assert await owner.fetchval("SELECT removed_at FROM github_repositories") is not None


async def test_many_events_that_are_first_to_tell_of_a_new_name_do_not_collide(owner, bound, deliver):
    """Each of them holds the installation while it is applied."""
    told = {"id": INSTALLATION, "account": account("acme-inc")}
    added = [
        {"action": "added", "installation": told, "repositories_added": [
            {"id": number, "full_name": f"acme-inc/{number}", "private": True}
        ]}
        for number in range(1, 9)
    ]  # fmt: skip
    await asyncio.gather(*(deliver("ping", {"zen": "Now there are connections for all of them."}) for _ in added))
    answers = await asyncio.gather(*(deliver("installation_repositories", event) for event in added))
    assert [answer.json().get("state") for answer in answers] == ["done"] * 8
    assert await owner.fetchval("SELECT account_login FROM github_installations") == "acme-inc"


async def test_changes_of_an_installation_at_once_do_not_collide(owner, bound, deliver):
    answers = await asyncio.gather(
        *(deliver("installation", installation_event(action)) for action in ("suspend", "unsuspend") * 4)
    )
    assert [answer.json().get("state") for answer in answers] == ["done"] * 8


async def test_a_deleted_organisation_leaves_its_installation_to_nobody(
    client, owner, tenant, bound, deliver, resources
):
    await organizations.delete(resources.database, tenant.user, "ada", confirm="ada")
    assert await owner.fetchval("SELECT organization_id FROM github_installations") is None
    assert (await deliver("workflow_run", run_event())).json()["state"] == "unbound"

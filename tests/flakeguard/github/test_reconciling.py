"""Installations agree with GitHub though no event told of what happened."""

from dataclasses import replace
from datetime import timedelta

from tests.github.fake import FakeGitHub

from flakeguard.github.api import GitHub
from flakeguard.github.installations.reconciling import Reconciled, reconcile
from fluxbase.resources import Resources, utc_now

from .conftest import INSTALLATION, REPOSITORY, Deliver, installation_event
from .conftest import repository as told_repository

API = "https://api.github.com"


async def agree(resources: Resources, github: GitHub, *, later: timedelta = timedelta(minutes=5)) -> Reconciled:
    """By default some minutes after what the test did: what is newer than the question is left alone."""
    return await reconcile(replace(resources, now=lambda: utc_now() + later), github, api_url=API)


async def repositories(owner) -> dict[int, tuple]:
    rows = await owner.fetch(
        "SELECT id, full_name, removed_at IS NULL, project_id IS NOT NULL FROM github_repositories"
    )
    return {row[0]: tuple(row)[1:] for row in rows}


async def test_installations_that_came_and_went_are_known(
    fake: FakeGitHub, github: GitHub, resources: Resources, deliver: Deliver, owner, bound: None
) -> None:
    await deliver("installation", installation_event("created", 5, told_repository(900, "gone/shop")))
    fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    fake.add_repository("new/shop", 901, 6)
    done = await agree(resources, github)
    assert (done.listed, done.new, done.gone, done.stopped) == (2, 1, 1, None)
    rows = await owner.fetch(
        "SELECT id, deleted_at IS NULL, organization_id IS NULL FROM github_installations ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [(5, False, True), (6, True, True), (INSTALLATION, True, False)]
    assert (await repositories(owner))[900][1] is False
    assert 901 not in await repositories(owner)  # nobody's: nothing of it is looked at


async def test_suspensions_are_known_and_lifted(
    fake: FakeGitHub, github: GitHub, resources: Resources, owner, bound: None
) -> None:
    fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    fake.suspended[INSTALLATION] = "2026-11-25T10:00:00Z"
    await agree(resources, github)
    assert await owner.fetchval("SELECT suspended_at IS NOT NULL FROM github_installations")
    assert not fake.asked_for("GET /installation/repositories")
    fake.suspended.clear()
    await agree(resources, github)
    assert await owner.fetchval("SELECT suspended_at IS NULL FROM github_installations")


async def test_what_it_reaches_is_what_github_says(
    fake: FakeGitHub, github: GitHub, resources: Resources, owner, bound: None
) -> None:
    fake.add_repository("acme/renamed", REPOSITORY, INSTALLATION)
    fake.add_repository("acme/added", 820, INSTALLATION)
    await owner.execute(
        "INSERT INTO github_repositories (id, installation_id, full_name) VALUES (821, $1, 'acme/removed')",
        INSTALLATION,
    )
    done = await agree(resources, github)
    assert (done.repositories_changed, done.repositories_gone) == (2, 1)
    assert await repositories(owner) == {
        REPOSITORY: ("acme/renamed", True, True),
        820: ("acme/added", True, True),
        821: ("acme/removed", False, False),
    }
    again = await agree(resources, github)
    assert (again.repositories_changed, again.repositories_gone) == (0, 0)


async def test_nobody_stays_nobody(fake: FakeGitHub, github: GitHub, resources: Resources, owner, bound: None) -> None:
    fake.add_repository("acme/renamed", REPOSITORY, INSTALLATION)
    await owner.execute("UPDATE github_repositories SET project_id = NULL")
    await agree(resources, github)
    assert await repositories(owner) == {REPOSITORY: ("acme/renamed", True, False)}


async def test_what_an_event_told_meanwhile_counts(
    fake: FakeGitHub, github: GitHub, resources: Resources, owner, bound: None
) -> None:
    """The list is older than the events."""
    fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    await owner.execute("UPDATE github_repositories SET removed_at = now()")
    await owner.execute(
        "INSERT INTO github_repositories (id, installation_id, full_name) VALUES (822, $1, 'acme/added')", INSTALLATION
    )
    await owner.execute("INSERT INTO github_installations (id, account_id, account_login) VALUES (7, 1, 'just-now')")
    await agree(resources, github, later=timedelta())
    told = await repositories(owner)
    assert (told[REPOSITORY][1], told[822][1]) == (False, True)
    assert await owner.fetchval("SELECT deleted_at IS NULL FROM github_installations WHERE id = 7")


async def test_one_that_was_taken_for_removed_returns(
    fake: FakeGitHub, github: GitHub, resources: Resources, owner, bound: None
) -> None:
    """As after a time with another App's key."""
    assert (await agree(resources, github)).gone == 1
    fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    assert (await agree(resources, github, later=timedelta(minutes=10))).returned == 1
    assert await repositories(owner) == {REPOSITORY: ("acme/shop", True, True)}


async def test_github_away_or_half_a_list_removes_nobody(
    fake: FakeGitHub, github: GitHub, resources: Resources, owner, bound: None
) -> None:
    for number in range(100):
        fake.add_repository(f"owner{number}/shop", 2000 + number, 1 + number)
    fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    first = await agree(resources, github)
    assert (first.listed, first.gone) == (101, 0)
    for status in (502, 401, 404, 429):
        fake.fail("GET /app/installations", status=status)
        assert (await agree(resources, github)).stopped is not None
    assert await owner.fetchval("SELECT count(*) FROM github_installations WHERE deleted_at IS NOT NULL") == 0

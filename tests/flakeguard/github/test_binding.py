"""Whose an installation is: only somebody whom GitHub calls its administrator binds it, and nobody takes another's."""

import asyncio
import html
import re
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.github import shapes
from tests.github.routes import ROUTES
from tests.github.state import State
from tests.github.truth import truth
from tests.github.webhooks import over

from flakeguard.github.installations import binding, managing, mapping, vouching
from flakeguard.github.installations import repository as installations
from flakeguard.github.installations.adopting import adopt_installation
from flakeguard.github.webhooks.working import App

from .conftest import (
    INSTALLATION,
    REPOSITORY,
    account,
    installation_event,
    repository,
    run_event,
)

API = "https://api.github.com"
APP = App(29310, API)


def organization(number: int = 99) -> dict:
    return {"id": number, "login": "acme"}


class Person:
    """Somebody at GitHub: what its API says to their token. What matters to a test is put over the fake's answers."""

    def __init__(self) -> None:
        self._github = State()
        self._github.url = API
        self.installations = [{"id": INSTALLATION, "account": account(), "target_type": "Organization"}]
        self.user = {"id": 7, "login": "ada"}
        self.membership = {"state": "active", "role": "admin", "organization": organization()}
        self.exchanges: list[dict] = []
        self.away = False

    def _told(self, one: dict) -> dict:
        told = over(shapes.installation(self._github, one["id"]), one)
        return told if one["account"] and "login" in one["account"] else {**told, "account": one["account"]}

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("no route")
        if request.url.path == "/login/oauth/access_token":
            self.exchanges.append({name: found[0] for name, found in parse_qs(request.content.decode()).items()})
            good = self.exchanges[-1]["code"] == "good"
            return httpx.Response(200, json={"access_token": "ghu_x"} if good else {"error": "bad_verification_code"})
        assert request.headers["authorization"] == "Bearer ghu_x"
        match request.url.path:
            case "/user":
                return described("GET /user", over(shapes.person(API), self.user))
            case "/user/installations":
                whole = [self._told(one) for one in self.installations]
                return described("GET /user/installations", {"total_count": len(whole), "installations": whole})
            case "/user/memberships/orgs/acme" if self.membership:
                whole = over(shapes.membership(API, "acme"), self.membership)
                return described("GET /user/memberships/orgs/{org}", whole)
        return httpx.Response(404, json={"message": "Not Found"})


def described(operation: str, body: dict) -> httpx.Response:
    """An answer that is as GitHub describes it."""
    held_to = truth(tuple(ROUTES))
    assert held_to is None or held_to.of_response(operation, 200, body) == []
    return httpx.Response(200, json=body)


@pytest.fixture
def person(monkeypatch) -> Person:
    found = Person()

    @asynccontextmanager
    async def connected():
        try:
            async with httpx.AsyncClient(transport=httpx.MockTransport(found.answer)) as client:
                yield client
        except httpx.HTTPError as error:
            from flakeguard.github.installations.errors import GitHubAwayError

            raise GitHubAwayError from error

    monkeypatch.setattr(vouching, "connected", connected)
    return found


async def leave(client, tenant, installation: int = INSTALLATION) -> dict[str, str]:
    """The setup page's way to GitHub: the query of the address that it links."""
    page = await client.get(f"/github/setup?installation_id={installation}", headers=tenant.as_browser)
    assert page.status_code == 200, page.text
    address = html.unescape(re.search(r'href="(https://github.com/login[^"]+)"', page.text)[1])
    return {name: found[0] for name, found in parse_qs(urlsplit(address).query).items()}


async def come_back(client, tenant, state: str, code: str = "good") -> httpx.Response:
    return await client.get("/github/callback", params={"code": code, "state": state}, headers=tenant.as_browser)


async def bound_to(owner, installation: int = INSTALLATION) -> int | None:
    return await owner.fetchval("SELECT organization_id FROM github_installations WHERE id = $1", installation)


async def test_an_administrator_binds_and_what_was_kept_is_done(
    client, owner, tenant, deliver, person, resources, fake, github
):
    await deliver("installation", installation_event("created", INSTALLATION, repository()))
    await deliver("workflow_run", run_event())
    query = await leave(client, tenant)
    assert query["redirect_uri"] == "http://testserver/github/callback"
    answer = await come_back(client, tenant, query["state"])
    assert answer.headers["location"] == "/orgs/ada/github?notice=github-bound", answer.text
    (exchange,) = person.exchanges
    assert exchange["client_secret"] == "the App's client secret"
    assert exchange["code_verifier"]
    assert await bound_to(owner) == tenant.project.organization_id
    (job,) = await owner.fetch("SELECT * FROM outbox")
    assert job["name"] == "adopt-installation"

    fake.add_repository("acme/shop", REPOSITORY, INSTALLATION).default_branch = "trunk"
    fake.add_repository("acme/Tools", 900, INSTALLATION)
    done = await adopt_installation(resources, APP, github, {"installationId": INSTALLATION}, job_id=job["job_id"])
    assert done == 1
    assert [row["name"] for row in await owner.fetch("SELECT name FROM outbox")] == ["process-run"]
    projects = await owner.fetch(
        "SELECT p.slug, p.default_branch FROM github_repositories r JOIN projects p ON p.id = project_id ORDER BY slug"
    )
    assert [tuple(row) for row in projects] == [("shop", "trunk"), ("tools", "main")]
    actions = {row["action"] for row in await owner.fetch("SELECT action FROM audit_events")}
    assert {"github.bound", "project.created"} <= actions


@pytest.mark.parametrize("chosen", ["nobody", "another"])
async def test_what_somebody_chose_stays_when_it_is_bound_again(
    client, owner, tenant, deliver, person, resources, fake, github, chosen
):
    await deliver("installation", installation_event("created", INSTALLATION, repository()))
    await come_back(client, tenant, (await leave(client, tenant))["state"])
    project_id = None if chosen == "nobody" else tenant.project.id  # which its name, shop, would not lead to
    await managing.choose_project(resources.database, tenant.user, "ada", REPOSITORY, project_id)

    async def of_today() -> int | None:
        return await owner.fetchval("SELECT project_id FROM github_repositories WHERE id = $1", REPOSITORY)

    fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    told = [{"id": REPOSITORY, "full_name": "acme/shop", "private": True}]
    for unbinds in (False, True):
        if unbinds:
            await binding.unbind(resources, tenant.user, "ada", INSTALLATION)
            assert await of_today() is None
        await come_back(client, tenant, (await leave(client, tenant))["state"])
        assert await of_today() == project_id
        await adopt_installation(resources, APP, github, {"installationId": INSTALLATION}, job_id="adopt")
        assert await of_today() == project_id
    for action in ("removed", "added"):
        event = {"action": action, "installation": {"id": INSTALLATION}, f"repositories_{action}": told}
        await deliver("installation_repositories", event)
    assert await of_today() == project_id


async def test_what_others_had_chosen_is_forgotten_with_them(
    client, owner, tenant, stranger, deliver, person, resources
):
    await deliver("installation", installation_event("created", INSTALLATION, repository()))
    await come_back(client, tenant, (await leave(client, tenant))["state"])
    await managing.choose_project(resources.database, tenant.user, "ada", REPOSITORY, None)
    await binding.unbind(resources, tenant.user, "ada", INSTALLATION)
    async with resources.database.transaction() as connection:
        await installations.bind(
            connection, INSTALLATION, stranger.project.organization_id, by=stranger.user.id, at=resources.now()
        )
        await mapping.map_all(connection, stranger.project.organization_id, INSTALLATION)
    row = await owner.fetchrow("SELECT project_id IS NULL AS nobody, chosen_in FROM github_repositories")
    assert tuple(row) == (False, None)


async def test_the_project_of_the_repositorys_name_is_taken(client, owner, tenant, deliver, person):
    await deliver("installation", installation_event("created", INSTALLATION, repository(full_name="acme/ada-shop")))
    await come_back(client, tenant, (await leave(client, tenant))["state"])
    assert await owner.fetchval("SELECT project_id FROM github_repositories") == tenant.project.id


def of_a_reader(person):
    person.membership["role"] = "member"


def of_somebody_pending(person):
    person.membership["state"] = "pending"


def of_a_stranger(person):
    person.installations = []


def of_nobody_there(person):
    person.membership = None


def of_another_account_of_that_name(person):
    person.membership["organization"] = organization(12345)


def of_another_users_own_account(person):
    person.installations[0] |= {"target_type": "User"}


def of_an_account_that_the_installation_is_not_of(person):
    person.installations[0]["account"] = account(number=500)
    person.membership["organization"] = organization(500)


def of_an_enterprise(person):
    named = {
        "id": 99,
        "node_id": "E_1",
        "name": "Acme",
        "slug": "acme",
        "html_url": "https://github.com/enterprises/acme",
    }
    dates = {
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "avatar_url": "https://github.com/a.png",
    }
    person.installations[0] |= {"account": {**named, **dates}, "target_type": "Enterprise"}


def of_no_account(person):
    person.installations[0]["account"] = None


@pytest.mark.parametrize(
    "change",
    [of_a_reader, of_somebody_pending, of_a_stranger, of_nobody_there, of_another_account_of_that_name,
     of_another_users_own_account, of_an_account_that_the_installation_is_not_of, of_an_enterprise,
     of_no_account],
)  # fmt: skip
async def test_nobody_else_binds(client, owner, tenant, deliver, person, change):
    await deliver("installation", installation_event("created", INSTALLATION, repository()))
    change(person)
    answer = await come_back(client, tenant, (await leave(client, tenant))["state"])
    assert answer.status_code == 403
    assert await bound_to(owner) is None
    assert await owner.fetch("SELECT FROM outbox") == []


async def test_a_users_own_account_is_theirs(client, owner, tenant, deliver, person):
    person.installations[0] = {"id": INSTALLATION, "account": account("ada", 7, "User"), "target_type": "User"}
    answer = await come_back(client, tenant, (await leave(client, tenant))["state"])
    assert answer.status_code == 303, answer.text
    assert await bound_to(owner) == tenant.project.organization_id


async def test_a_state_is_of_the_session_that_left(client, owner, tenant, stranger, person):
    """Mallory sends Ada her own address, or comes back with Ada's."""
    for leaver, comer in ((stranger, tenant), (tenant, stranger)):
        query = await leave(client, leaver)
        assert (await come_back(client, comer, query["state"])).status_code == 400
    assert person.exchanges == []
    assert await owner.fetch("SELECT FROM github_installations WHERE organization_id IS NOT NULL") == []


async def test_a_code_that_github_refuses_binds_nothing(client, owner, tenant, person):
    query = await leave(client, tenant)
    assert (await come_back(client, tenant, query["state"], code="stolen")).status_code == 403
    person.away = True
    assert (await come_back(client, tenant, query["state"])).status_code == 503
    assert await owner.fetch("SELECT FROM github_installations") == []


async def test_a_member_without_the_role_is_not_offered_to_bind(client, owner, tenant, person):
    query = await leave(client, tenant)
    await owner.execute("UPDATE memberships SET role = 'MEMBER'")
    page = await client.get(f"/github/setup?installation_id={INSTALLATION}", headers=tenant.as_browser)
    assert "login/oauth" not in page.text
    assert (await come_back(client, tenant, query["state"])).status_code == 403
    assert await bound_to(owner) is None


async def test_what_is_bound_is_not_taken_by_another_organisation(client, owner, tenant, stranger, bound, person):
    answer = await come_back(client, stranger, (await leave(client, stranger))["state"])
    assert answer.status_code == 409
    assert await bound_to(owner) == tenant.project.organization_id


async def test_of_two_organisations_that_bind_at_once_one_is_told_so(client, owner, tenant, stranger, person):
    states = [await leave(client, one) for one in (tenant, stranger)]
    answers = await asyncio.gather(
        *(come_back(client, one, state["state"]) for one, state in zip((tenant, stranger), states, strict=True))
    )
    assert sorted(answer.status_code for answer in answers) == [303, 409]


async def test_what_was_removed_at_github_is_not_bound(client, owner, tenant, deliver, person):
    await deliver("installation", installation_event("created", INSTALLATION, repository()))
    await deliver("installation", installation_event("deleted"))
    answer = await come_back(client, tenant, (await leave(client, tenant))["state"])
    assert answer.status_code == 404
    assert await bound_to(owner) is None


async def test_nobody_signed_in_is_asked_to(client):
    for path in ("/github/setup?installation_id=1", "/github/callback?code=a&state=b"):
        answer = await client.get(path, headers={"Accept": "text/html"})
        assert answer.headers["location"].startswith("/signin?next=%2Fgithub%2F"), path


async def test_a_worker_does_what_a_binding_owes(client, owner, tenant, deliver, person, worker):
    """Without the App's key GitHub is not asked, and what events told of repositories counts."""
    await deliver("workflow_run", run_event(), guid="kept")
    await come_back(client, tenant, (await leave(client, tenant))["state"])
    async with asyncio.timeout(20):
        while await owner.fetchval("SELECT count(*) FROM outbox WHERE name = 'adopt-installation'"):  # noqa: ASYNC110 -- a row tells
            await asyncio.sleep(0.05)
    assert await owner.fetchval("SELECT state FROM github_deliveries WHERE guid = 'kept'") == "received"
    run = await owner.fetchrow("SELECT state, head_branch FROM github_runs")
    assert run["head_branch"] == "topic"
    assert run["state"] == "owed"
    async with asyncio.timeout(20):
        while not (job := await owner.fetchrow("SELECT dead_at, error FROM outbox WHERE error IS NOT NULL")):  # noqa: ASYNC110 -- a row tells
            await asyncio.sleep(0.05)
    assert "GITHUB_APP_ID" in job["error"], "what only a worker with the key can do waits for one"
    assert job["dead_at"] is None
